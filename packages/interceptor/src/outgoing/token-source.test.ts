import { createRevocationSet } from '@tokenmesh/revocation';
import { TokenError } from '@tokenmesh/token';
import { beforeEach, describe, expect, it } from 'vitest';
import { createCaller } from '../incoming/caller.ts';
import { refusalStatus } from '../status.ts';
import { gateway, orders } from '../test-issuer.ts';
import {
  createTokenSource,
  type HeldToken,
  type IssuedToken,
  type TokenRequest,
  type TokenSource,
  type TokenSourceOptions,
} from './token-source.ts';

/** token-exchange as the tests play it: every exchange waits until the test answers it. */
interface Asked {
  readonly request: TokenRequest;
  answer(token: string, lifeSeconds?: number): void;
  fail(error: unknown): void;
}

let nowMs: number;
let asked: Asked[];
let source: TokenSource;

function open(options: Pick<TokenSourceOptions, 'random' | 'maxEntries' | 'onChange'> = {}): TokenSource {
  return createTokenSource({
    exchange: (request) => {
      const { promise, resolve, reject } = Promise.withResolvers<IssuedToken>();
      asked.push({
        request,
        answer: (accessToken, expiresInSeconds = 300) => resolve({ accessToken, tokenType: 'Bearer', expiresInSeconds }),
        fail: reject,
      });
      return promise;
    },
    now: () => nowMs,
    random: () => 0.5,
    ...options,
  });
}

/** Obtains a token, answering the one exchange that it takes. */
async function obtain(token: string, lifeSeconds?: number): Promise<HeldToken> {
  const waiting = source.get({ audience: orders });
  asked.at(-1)?.answer(token, lifeSeconds);
  return waiting;
}

beforeEach(() => {
  nowMs = 1_000_000;
  asked = [];
  source = open();
});

describe('createTokenSource', () => {
  it('makes one exchange for all who wait for the same token', async () => {
    const waiting = [1, 2, 3].map(() => source.get({ audience: orders }));
    expect(asked).toHaveLength(1);
    asked[0]?.answer('t1');
    expect((await Promise.all(waiting)).map((token) => token.compact)).toEqual(['t1', 't1', 't1']);
  });

  it('answers at once, without a promise, while it holds a token', async () => {
    await obtain('t1');
    expect(source.get({ audience: orders })).toMatchObject({ compact: 't1', tokenType: 'Bearer' });
    expect(asked).toHaveLength(1);
  });

  it('has a token carried under the compact key where both its audience and this workload take part, and nowhere else', async () => {
    for (const [compactMetadata, announced, metadataKey] of [
      [true, true, 'tokenmesh-token'],
      [true, false, undefined],
      [false, true, undefined],
      [undefined, true, undefined],
      [true, undefined, undefined],
    ] as const) {
      const one = createTokenSource({
        exchange: async () => ({
          ...{ accessToken: 'compact', tokenType: 'Bearer', expiresInSeconds: 300 },
          ...(announced !== undefined && { compactMetadata: announced }),
        }),
        ...(compactMetadata !== undefined && { compactMetadata }),
      });
      expect((await one.get({ audience: orders })).metadataKey).toBe(metadataKey);
    }
  });

  it('keeps tokens of other audiences, scopes and callers apart', async () => {
    await obtain('t1');
    const caller = createCaller(
      {
        kid: 'k',
        scope: [],
        claims: { iss: '', sub: gateway, aud: orders, exp: 2_000, iat: 0, jti: 'j1', client_id: gateway, scope: '', txn: '', rn: 0 },
      },
      'compact',
    );
    for (const request of [{ audience: gateway }, { audience: orders, scope: 'a' }, { audience: orders, onBehalfOf: caller }]) {
      expect(source.get(request)).toBeInstanceOf(Promise);
    }
    expect(asked).toHaveLength(4);
  });

  it('uses a token until half of its life is over, then replaces it in the background', async () => {
    await obtain('t1', 300);
    nowMs += 150_000 - 1;
    expect(source.get({ audience: orders })).toMatchObject({ compact: 't1' });
    expect(asked).toHaveLength(1);
    nowMs += 1;
    expect(source.get({ audience: orders })).toMatchObject({ compact: 't1' });
    expect(asked).toHaveLength(2);
    expect(source.get({ audience: orders })).toMatchObject({ compact: 't1' });
    expect(asked).toHaveLength(2);
    asked[1]?.answer('t2');
    await settled();
    expect(source.get({ audience: orders })).toMatchObject({ compact: 't2' });
  });

  it('replaces the tokens of one entry at the same part of their life, whatever chance says later', async () => {
    const chances = [0, 1, 0.5, 1];
    source = open({ random: () => chances.shift() ?? 1 });
    for (const token of ['t1', 't2', 't3']) {
      const { length } = asked;
      if (length === 0) await obtain(token, 300);
      else asked.at(-1)?.answer(token, 300);
      await settled();
      nowMs += 135_000 - 1;
      source.get({ audience: orders });
      expect(asked).toHaveLength(length === 0 ? 1 : length);
      nowMs += 1;
      source.get({ audience: orders });
      expect(asked).toHaveLength(length === 0 ? 2 : length + 1);
    }
  });

  it.each([
    [0, 135_000],
    [0.999999, 165_000],
  ])('spreads replacements by ±10 %% of half life: chance %d gives %d ms', async (chance, refreshAtMs) => {
    source = open({ random: () => chance });
    await obtain('t1', 300);
    nowMs += refreshAtMs - 1;
    source.get({ audience: orders });
    expect(asked).toHaveLength(1);
    nowMs += 1;
    source.get({ audience: orders });
    expect(asked).toHaveLength(2);
  });

  it('goes on using a token while its replacement fails, and backs off', async () => {
    await obtain('t1', 300);
    nowMs += 150_000;
    source.get({ audience: orders });
    asked[1]?.fail(new Error('down'));
    await settled();
    nowMs += 999;
    expect(source.get({ audience: orders })).toMatchObject({ compact: 't1' });
    expect(asked).toHaveLength(2);
    nowMs += 1;
    source.get({ audience: orders });
    expect(asked).toHaveLength(3);
    asked[2]?.fail(new Error('down'));
    await settled();
    nowMs += 1_000;
    source.get({ audience: orders });
    expect(asked).toHaveLength(3);
    nowMs += 500;
    source.get({ audience: orders });
    expect(asked).toHaveLength(4);
  });

  it('waits for a new token within 30 s of the end, and falls back to the old one while it lives', async () => {
    await obtain('t1', 300);
    nowMs += 270_000;
    const waiting = source.get({ audience: orders });
    expect(waiting).toBeInstanceOf(Promise);
    asked[1]?.fail(new Error('down'));
    expect(await waiting).toMatchObject({ compact: 't1' });
    nowMs += 30_000;
    const ended = source.get({ audience: orders });
    asked[2]?.fail(new Error('still down'));
    await expect(ended).rejects.toThrow('still down');
  });

  it('does not fall back to a token that was refused or revoked while its replacement failed', async () => {
    const held = await obtain('t1', 300);
    nowMs += 299_000;
    const waiting = source.get({ audience: orders });
    source.drop(held, new Error('refused'));
    asked[1]?.fail(new Error('down'));
    await expect(waiting).rejects.toThrow('down');
  });

  it.each([
    ['is over when it comes', 't2', 2],
    ['has no life', 't2', 0],
    ['could not be presented', 't2\n', 300],
    ['is larger than a call can carry', 't'.repeat(8_001), 300],
  ])('does not hand out an answer that %s', async (_, token, lifeSeconds) => {
    const outcome = Promise.resolve(source.get({ audience: orders })).catch((caught: unknown) => caught);
    for (let attempt = 0; attempt < asked.length; attempt++) {
      nowMs += 2_000;
      asked[attempt]?.answer(token, lifeSeconds);
      await settled();
    }
    const error = await outcome;
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).not.toContain('t2');
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  it('waits as long as token-exchange asks for, half a minute at most', async () => {
    for (const [askedMs, waitMs] of [
      [200, 1_000],
      [5_000, 5_000],
      [600_000, 30_000],
    ] as const) {
      source = open();
      const first = source.get({ audience: orders });
      asked.at(-1)?.fail(Object.assign(new Error('busy'), refusalStatus('EXCHANGE_OVERLOADED', {}, askedMs)));
      await expect(first).rejects.toThrow('busy');
      nowMs += waitMs - 1;
      expect(() => source.get({ audience: orders })).toThrow('busy');
      nowMs += 1;
      expect(source.get({ audience: orders })).toBeInstanceOf(Promise);
    }
  });

  it('does not hand out a token whose life ended while its replacement failed', async () => {
    await obtain('t1', 300);
    nowMs += 299_000;
    const waiting = source.get({ audience: orders });
    nowMs += 1_000;
    asked[1]?.fail(new Error('down'));
    await expect(waiting).rejects.toThrow('down');
  });

  it('remembers a failure for a second, so that an outage costs one exchange and not one per call', async () => {
    const first = source.get({ audience: orders });
    const failure = Object.assign(new Error('refused'), refusalStatus('TARGET_REFUSED'));
    asked[0]?.fail(failure);
    await expect(first).rejects.toBe(failure);
    nowMs += 999;
    expect(() => source.get({ audience: orders })).toThrow(failure);
    expect(asked).toHaveLength(1);
    nowMs += 1;
    expect(source.get({ audience: orders })).toBeInstanceOf(Promise);
    expect(asked).toHaveLength(2);
  });

  it('obtains another token after the held one was dropped', async () => {
    const token = await obtain('t1');
    source.drop(token, new Error('refused'));
    expect(source.get({ audience: orders })).toBeInstanceOf(Promise);
  });

  it('asks for no third token when the second is refused within a second of the first, until another second is over', async () => {
    const refusal = new Error('refused');
    source.drop(await obtain('t1'), refusal);
    nowMs += 999;
    source.drop(await obtain('t2'), refusal);
    expect(() => source.get({ audience: orders })).toThrow(refusal);
    nowMs += 999;
    expect(() => source.get({ audience: orders })).toThrow(refusal);
    nowMs += 1;
    expect(source.get({ audience: orders })).toBeInstanceOf(Promise);
  });

  it('asks at once for another token when the one before was refused more than a second ago', async () => {
    source.drop(await obtain('t1'), new Error('refused'));
    nowMs += 1_000;
    source.drop(await obtain('t2'), new Error('refused'));
    expect(source.get({ audience: orders })).toBeInstanceOf(Promise);
  });

  it('refuses to act for a caller whose own token is over', () => {
    const caller = createCaller(
      {
        kid: 'k',
        scope: [],
        claims: { iss: '', sub: gateway, aud: orders, exp: nowMs / 1000, iat: 0, jti: 'j1', client_id: gateway, scope: '', txn: '', rn: 0 },
      },
      'compact',
    );
    expect(() => source.get({ audience: orders, onBehalfOf: caller })).toThrow(TokenError);
    expect(asked).toHaveLength(0);
  });

  it('refuses to act for an object that is no verified caller', () => {
    const forged = { sub: 'x', clientId: 'x', scope: [], act: [], jti: 'j', exp: 9e9, txn: 't', stale: false };
    expect(() => source.get({ audience: orders, onBehalfOf: forged })).toThrow('callerOf(call)');
  });

  it('keeps no more entries than it may, and drops the one that was used longest ago', async () => {
    source = open({ maxEntries: 2 });
    for (const audience of ['a', 'b', 'a', 'c']) {
      const got = source.get({ audience });
      asked.at(-1)?.answer(audience);
      await got;
    }
    expect(asked).toHaveLength(3);
    expect(source.get({ audience: 'a' })).not.toBeInstanceOf(Promise);
    expect(source.get({ audience: 'b' })).toBeInstanceOf(Promise);
  });
});

/** Lets the promises that are settled run their course. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('what becomes of tokens', () => {
  it('is told of those of the workload itself, and not of those on behalf of callers', async () => {
    const told: string[] = [];
    source = open({ onChange: ({ audience, change, error }) => told.push([audience, change, error].filter(Boolean).join(' ')) });
    await obtain('t1', 300);
    nowMs += 150_000;
    source.get({ audience: orders });
    asked[1]?.fail(new Error('down'));
    await settled();
    nowMs += 2_000;
    source.get({ audience: orders });
    asked[2]?.answer('t2', 300);
    await settled();
    const onBehalfOf = createCaller(
      {
        kid: 'k',
        scope: [],
        claims: { iss: '', sub: gateway, aud: orders, exp: 2_000, iat: 0, jti: 'j1', client_id: gateway, scope: '', txn: '', rn: 0 },
      },
      'compact',
    );
    const waiting = source.get({ audience: orders, onBehalfOf });
    asked[3]?.answer('t3');
    await waiting;
    expect(told).toEqual([`${orders} obtained`, `${orders} failed Error: down`, `${orders} refreshed`]);
  });
});

describe('eviction by revocation', () => {
  it('drops a held token that a revocation covers, and asks again once when the answer is covered too', async () => {
    const { createTestIssuer } = await import('../test-issuer.ts');
    const issuer = createTestIssuer();
    const set = createRevocationSet();
    const answers = [issuer.token({ rn: 0 }), issuer.token({ rn: 0 }), issuer.token({ rn: 1 })];
    let exchanges = 0;
    const revocable = createTokenSource({
      exchange: async () => ({ accessToken: answers[exchanges++] ?? '', tokenType: 'Bearer', expiresInSeconds: 300 }),
      revoked: set,
      now: () => nowMs,
    });
    expect(await revocable.get({ audience: orders })).toMatchObject({ compact: answers[0] });
    set.apply({ n: 1, t: nowMs, targets: [{ kind: 'client', value: gateway, exp: 9_999_999_999 }] });
    expect(await revocable.get({ audience: orders })).toMatchObject({ compact: answers[2] });
    expect(exchanges).toBe(3);
    expect(revocable.get({ audience: orders })).toMatchObject({ compact: answers[2] });
  });

  it('drops what a burst of revocations covers at once, in one pass, before anybody asks', async () => {
    const { createTestIssuer } = await import('../test-issuer.ts');
    const issuer = createTestIssuer();
    const told: string[] = [];
    let lookups = 0;
    const { set } = issuer.revocation;
    const source = createTokenSource({
      exchange: async ({ audience }) => ({
        accessToken: issuer.token({ aud: audience, txn: audience }),
        tokenType: 'Bearer',
        expiresInSeconds: 300,
      }),
      revoked: {
        get version() {
          return set.version;
        },
        find(token) {
          lookups++;
          return set.find(token);
        },
      },
      onRevocation: issuer.revocation.onApplied,
      onChange: ({ audience, change }) => told.push(`${audience} ${change}`),
      now: () => nowMs,
    });
    for (const audience of ['a', 'b']) await source.get({ audience });
    told.length = 0;
    lookups = 0;
    for (let index = 0; index < 100; index++) issuer.revoke({ kind: 'session', value: `s${index}` });
    issuer.revoke({ kind: 'chain', value: 'a' });
    await settled();
    expect(told).toEqual(['a evicted']);
    expect(lookups).toBe(2);
    expect(source.get({ audience: 'b' })).not.toBeInstanceOf(Promise);
    expect(source.get({ audience: 'a' })).toBeInstanceOf(Promise);
  });
});
