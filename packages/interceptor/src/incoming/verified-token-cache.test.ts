import { expect, it } from 'vitest';
import { type CacheEntry, createVerifiedTokenCache } from './verified-token-cache.ts';

it('T-11: tells a hundred thousand tokens apart that are equal in their first 200 characters', () => {
  const cache = createVerifiedTokenCache<string>(100_000);
  const tokens = Array.from({ length: 100_000 }, (_, index) => `${'e'.repeat(200)}${index}`);
  // True of what a cache looks at, which is nothing: it hands out what it was given.
  for (const token of tokens) cache.add(token, { issuer: token } as CacheEntry<string>);
  expect(tokens.every((token) => cache.get(token)?.issuer === token)).toBe(true);
  expect(cache.get('e'.repeat(200))).toBeUndefined();
});

it('gives up the token that was not asked for longest, and makes no room for one that it does not know', () => {
  const cache = createVerifiedTokenCache<string>(2);
  // True of what a cache looks at, which is nothing: it hands out what it was given.
  const add = (token: string) => cache.add(token, { issuer: token } as CacheEntry<string>);
  add('a');
  add('b');
  expect(cache.get('unknown')).toBeUndefined();
  expect(cache.get('a')?.issuer).toBe('a');
  add('c');
  expect(['a', 'b', 'c'].map((token) => cache.get(token)?.issuer)).toEqual(['a', undefined, 'c']);
});
