import type { VerifiedToken } from '@tokenmesh/token';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Caller } from './caller.ts';
import { CacheEntry, createVerifiedTokenCache } from './verified-token-cache.ts';

// True of what a cache looks at, which is the text: it hands out the rest as it was given.
const entryOf = (compact: string) => new CacheEntry(compact, {} as VerifiedToken, {} as Caller, `of ${compact}`);

function open(maxEntries: number) {
  const cache = createVerifiedTokenCache<string>(maxEntries);
  return {
    add: (compact: string) => cache.add(entryOf(compact)),
    find: (compact: string) => cache.get(compact)?.issuer,
  };
}

it('T-11: tells a hundred thousand tokens apart that are equal in their first 200 characters', () => {
  const cache = open(100_000);
  const tokens = Array.from({ length: 100_000 }, (_, index) => `${'e'.repeat(200)}${index}`);
  for (const token of tokens) cache.add(token);
  expect(tokens.every((token) => cache.find(token) === `of ${token}`)).toBe(true);
  expect(cache.find('e'.repeat(200))).toBeUndefined();
});

it('T-11: tells tokens apart that end alike', () => {
  const cache = open(10);
  const end = 'e'.repeat(100);
  cache.add(`a${end}`);
  cache.add('newer');
  for (const other of [`b${end}`, `aa${end}`, end]) expect(cache.find(other)).toBeUndefined();
  cache.add(`b${end}`);
  expect(cache.find(`b${end}`)).toBe(`of b${end}`);
  expect(cache.find(`a${end}`)).toBeUndefined();
});

it('gives up the token that was not asked for longest, and makes no room for one that it does not know', () => {
  const cache = open(2);
  cache.add('a');
  cache.add('b');
  expect(cache.find('unknown')).toBeUndefined();
  expect(cache.find('a')).toBe('of a');
  cache.add('c');
  expect(['a', 'b', 'c'].map(cache.find)).toEqual(['of a', undefined, 'of c']);
});

it('keeps what a list of the tokens last used would keep, whatever is asked for and added', () => {
  const step = fc.record({ adds: fc.boolean(), token: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f') });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 40 }), (maxEntries, steps) => {
      const cache = open(maxEntries);
      let lastUsed: readonly string[] = [];
      for (const { adds, token } of steps) {
        if (adds) cache.add(token);
        else expect(cache.find(token)).toBe(lastUsed.includes(token) ? `of ${token}` : undefined);
        if (adds || lastUsed.includes(token)) lastUsed = [token, ...lastUsed.filter((other) => other !== token)].slice(0, maxEntries);
      }
    }),
  );
});

it('keeps fewer tokens when they are longer than 1 KiB on average, and the newest always', () => {
  const cache = open(4);
  const long = (name: string) => name.repeat(2048);
  for (const name of ['a', 'b', 'c']) cache.add(long(name));
  expect(['a', 'b', 'c'].map((name) => cache.find(long(name)) !== undefined)).toEqual([false, true, true]);
  for (const name of ['1', '2']) cache.add(name);
  expect([long('b'), long('c'), '1', '2'].map((token) => cache.find(token) !== undefined)).toEqual([false, true, true, true]);
  cache.add('x'.repeat(5000));
  cache.add('y'.repeat(5000));
  expect(['1', 'x'.repeat(5000), 'y'.repeat(5000)].map((token) => cache.find(token) !== undefined)).toEqual([false, false, true]);
});
