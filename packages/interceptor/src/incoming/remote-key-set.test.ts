import { exportJwk, generateSigningKey, TokenError } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRemoteKeySet, type FetchedKeys, type RemoteKeySet } from './remote-key-set.ts';

const first = generateSigningKey('ES256', 'k1');
const second = generateSigningKey('ES256', 'k2');
let published: FetchedKeys | Error;
let fetches: number;
let keys: RemoteKeySet;

function open(maxStaleMs?: number): RemoteKeySet {
  return createRemoteKeySet({
    fetch: async () => {
      fetches++;
      if (published instanceof Error) throw published;
      return published;
    },
    random: () => 0.5,
    ...(maxStaleMs !== undefined && { maxStaleMs }),
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  published = { keys: [exportJwk(first)], maxAgeSeconds: 60, version: 0 };
  fetches = 0;
});

afterEach(() => {
  keys.close();
  vi.useRealTimers();
});

describe('createRemoteKeySet', () => {
  it('answers a known key at once', async () => {
    keys = open();
    await keys.ready();
    expect(keys.find('k1')).toMatchObject({ kid: 'k1' });
    expect(keys.kids()).toEqual(['k1']);
  });

  it('lets callers wait for the first answer', async () => {
    keys = open();
    expect(await keys.find('k1')).toMatchObject({ kid: 'k1' });
    expect(fetches).toBe(1);
  });

  it('asks again in the background at half of the max-age', async () => {
    keys = open();
    await keys.ready();
    published = { keys: [exportJwk(first), exportJwk(second)], maxAgeSeconds: 60, version: 0 };
    await vi.advanceTimersByTimeAsync(29_999);
    expect(fetches).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(fetches).toBe(2);
    expect(keys.find('k2')).toMatchObject({ kid: 'k2' });
  });

  it('tells when the set of keys is another one, and not when it was asked for again', async () => {
    const heard: string[] = [];
    keys = createRemoteKeySet({
      fetch: async () => published as FetchedKeys, // no test of this one makes it an Error
      onChange: () => heard.push(keys.kids().join()),
      random: () => 0.5,
    });
    await keys.ready();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(heard).toEqual(['k1']);
    published = { keys: [exportJwk(first), exportJwk(second)], maxAgeSeconds: 60, version: 0 };
    await vi.advanceTimersByTimeAsync(30_000);
    published = { keys: [exportJwk(second)], maxAgeSeconds: 60, version: 0 };
    await vi.advanceTimersByTimeAsync(30_000);
    expect(heard).toEqual(['k1', 'k1,k2', 'k2']);
  });

  it('T-35: fetches at most once a second however many unknown kids are asked for', async () => {
    keys = open();
    await keys.ready();
    await vi.advanceTimersByTimeAsync(1_000);
    const unknown = await Promise.all(Array.from({ length: 1_000 }, (_, i) => keys.find(`random-${i}`)));
    expect(unknown.every((key) => key === undefined)).toBe(true);
    expect(fetches).toBe(2);
    await vi.advanceTimersByTimeAsync(999);
    await keys.find('another');
    expect(fetches).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    await keys.find('another');
    expect(fetches).toBe(3);
  });

  it('F14 asks at once for keys of a later version that are announced, once a second together with unknown kids', async () => {
    keys = open();
    await keys.ready();
    await vi.advanceTimersByTimeAsync(1_000);
    published = { keys: [exportJwk(first), exportJwk(second)], maxAgeSeconds: 60, version: 1 };
    for (let count = 0; count < 1_000; count++) keys.announced(1);
    keys.announced(0);
    expect(fetches).toBe(1);
    await vi.advanceTimersByTimeAsync(250);
    expect([fetches, keys.kids()]).toEqual([2, ['k1', 'k2']]);
    keys.announced(2);
    await keys.find('unknown');
    expect(fetches).toBe(2);
    await vi.advanceTimersByTimeAsync(1_000);
    await keys.find('unknown');
    keys.announced(3);
    expect(fetches).toBe(3);
    await vi.advanceTimersByTimeAsync(999);
    expect(fetches).toBe(3);
  });

  it('asks for nothing any more once it is closed, whatever is announced', async () => {
    keys = open();
    await keys.ready();
    keys.close();
    keys.announced(1);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(fetches).toBe(1);
  });

  it('finds a key that was published a moment ago', async () => {
    keys = open();
    await keys.ready();
    await vi.advanceTimersByTimeAsync(1_000);
    published = { keys: [exportJwk(first), exportJwk(second)], maxAgeSeconds: 60, version: 0 };
    expect(await keys.find('k2')).toMatchObject({ kid: 'k2' });
  });

  it('goes on with the keys it has while the issuer is down, up to the hard age', async () => {
    keys = open(3_600_000);
    await keys.ready();
    published = new Error('down');
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(fetches).toBeGreaterThan(10);
    expect(keys.find('k1')).toMatchObject({ kid: 'k1' });
    await vi.advanceTimersByTimeAsync(1);
    await expect(Promise.resolve(keys.find('k1'))).rejects.toMatchObject({ reason: 'KEYS_UNAVAILABLE' });
    published = { keys: [exportJwk(first)], maxAgeSeconds: 60, version: 0 };
    await vi.advanceTimersByTimeAsync(40_000);
    expect(keys.find('k1')).toMatchObject({ kid: 'k1' });
  });

  it.each([
    ['none', 0, 1_000],
    ['a century', 3_155_760_000, 3600_000],
  ])('asks again after a sensible time when an answer names %s as its max-age', async (_, maxAgeSeconds, afterMs) => {
    published = { keys: [exportJwk(first)], maxAgeSeconds, version: 0 };
    keys = open();
    await keys.ready();
    await vi.advanceTimersByTimeAsync(afterMs - 1);
    expect(fetches).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(fetches).toBe(2);
  });

  it('keeps its keys when an answer holds none', async () => {
    keys = open();
    await keys.ready();
    published = { keys: [], maxAgeSeconds: 60, version: 0 };
    await vi.advanceTimersByTimeAsync(30_000);
    expect(fetches).toBe(2);
    expect(keys.find('k1')).toMatchObject({ kid: 'k1' });
  });

  it('looks for an unknown kid although the clock was set back', async () => {
    keys = open();
    await keys.ready();
    await vi.advanceTimersByTimeAsync(1);
    vi.setSystemTime(Date.now() - 3600_000);
    published = { keys: [exportJwk(first), exportJwk(second)], maxAgeSeconds: 60, version: 0 };
    expect(await keys.find('k2')).toMatchObject({ kid: 'k2' });
  });

  it('lets nobody wait for keys once it is closed', async () => {
    published = new Error('down');
    keys = open();
    const ready = keys.ready();
    keys.close();
    await expect(ready).rejects.toThrow('closed before it had keys');
  });

  it('refuses to guess before it has any key', async () => {
    published = new Error('down');
    keys = open();
    const error = await Promise.resolve(keys.find('k1')).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(TokenError);
    expect(error).toMatchObject({ reason: 'KEYS_UNAVAILABLE' });
  });

  it('T-03: keeps its keys when an answer holds one that is not strict', async () => {
    keys = open();
    await keys.ready();
    const { alg: _, ...withoutAlg } = exportJwk(second);
    published = {
      keys: [
        { ...withoutAlg, alg: '' },
        { ...exportJwk(second), kid: 'k3' },
      ],
      maxAgeSeconds: 60,
      version: 0,
    };
    await vi.advanceTimersByTimeAsync(30_000);
    expect(fetches).toBe(2);
    expect(keys.find('k1')).toMatchObject({ kid: 'k1' });
    expect(keys.kids()).toEqual(['k1']);
  });
});
