import { shopPackage } from '@tokenmesh/proto/shop';
import { type Reason, type ServiceTokenClaims, type TokenError, type VerifiedToken, verifyServiceToken } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestIssuer, gateway, orders, type TestIssuer } from '../test-issuer.ts';
import { until } from '../test-shop.ts';
import { createLiveCalls, type LiveCalls, type WatchedCall } from './live-calls.ts';
import { type Rule, readRules } from './rules.ts';
import type { Staleness } from './staleness.ts';

const rule = readRules([shopPackage]).get('/shop.v1.Orders/Track') as Rule;
let issuer: TestIssuer;
let liveCalls: LiveCalls;
let looks: number;
let sweeps: number;
let staleness: Staleness;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: Date.UTC(2026, 0, 1) });
  issuer = createTestIssuer();
  issuer.now = Date.now;
  [looks, sweeps, staleness] = [0, 0, 'fresh'];
  const { revocation, now } = issuer;
  liveCalls = createLiveCalls({
    verifier: {
      staleness() {
        sweeps++;
        return staleness;
      },
      findRevocation(token) {
        looks++;
        return revocation.set.find(token);
      },
      onRevocation: revocation.onApplied,
    },
    clockToleranceSeconds: 5,
    now,
  });
});

afterEach(() => {
  liveCalls.close();
  vi.useRealTimers();
});

/** Long enough for one pass over the streams. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const startSeconds = Date.UTC(2026, 0, 1) / 1000;
const inSeconds = (seconds: number) => startSeconds + seconds;

async function verified(claims: Partial<ServiceTokenClaims> = {}): Promise<VerifiedToken> {
  const { keys, now } = issuer;
  return await verifyServiceToken(issuer.token(claims), { issuer: issuer.issuer, audience: orders, keys, now, maxLifeSeconds: 1e9 });
}

/** Watches a call; what it is ended with, in order. */
function watch(token: VerifiedToken, announce?: () => void): { readonly call: WatchedCall; readonly ends: Reason[] } {
  const ends: Reason[] = [];
  const end = ({ reason }: TokenError) => {
    ends.push(reason);
    call.release();
  };
  const call = liveCalls.add({ token, rule, end, ...(announce && { announce }) });
  return { call, ends };
}

describe('createLiveCalls', () => {
  it('ends a call that was revoked between its check and its registration', async () => {
    // as when token-exchange was asked about the token, and a revocation came in before its answer
    const token = await verified();
    issuer.revoke({ kind: 'client', value: gateway });
    const { ends } = watch(token);
    await turn();
    expect(ends).toEqual(['TOKEN_REVOKED']);
  });

  it('forgets a call that has ended', async () => {
    const { call, ends } = watch(await verified());
    expect(liveCalls.size).toBe(1);
    call.release();
    expect(liveCalls.size).toBe(0);
    issuer.revoke({ kind: 'client', value: gateway });
    await turn();
    await pass(1_000_000);
    expect(ends).toEqual([]);
  });

  it('looks once at each of 10 000 streams when a burst of revocations comes in, and ends all that are covered', async () => {
    const [covered, other] = [await verified(), await verified({ client_id: 'spiffe://shop.test/other' })];
    let ended = 0;
    for (let n = 0; n < 10_000; n++) {
      const call = liveCalls.add({
        token: { ...(n % 10 === 0 ? other : covered) }, // a token of its own
        rule,
        end() {
          ended++;
          call.release();
        },
      });
    }
    looks = 0;
    for (let n = 0; n < 100; n++) issuer.revoke({ kind: 'client', value: gateway }, { kind: 'chain', value: `somebody-else-${n}` });
    await until(() => ended === 9_000);
    await turn();
    expect(liveCalls.size).toBe(1_000);
    expect(looks).toBe(10_000);
  });

  it.each([
    ['one revocation covers', () => issuer.revoke({ kind: 'client', value: gateway })],
    ['end with their token', () => void vi.advanceTimersByTime(300_000)],
  ])('lets other work of the process go on while it ends many streams that %s', async (_, endAll) => {
    const token = await verified({ exp: inSeconds(300) });
    const order: ('ended' | 'other work')[] = [];
    for (let n = 0; n < 200; n++) {
      const call = liveCalls.add({
        token,
        rule,
        end() {
          const since = performance.now();
          while (performance.now() - since < 0.5); // as long as a slow stream takes to end: 100 ms for all of them
          order.push('ended');
          call.release();
        },
      });
    }
    endAll();
    while (liveCalls.size > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      order.push('other work');
    }
    const [first, last] = [order.indexOf('ended'), order.lastIndexOf('ended')];
    expect(order.slice(first, last).filter((what) => what === 'other work').length).toBeGreaterThan(1);
    expect(order.filter((what) => what === 'ended')).toHaveLength(200);
  });

  it('ends a stream that it had passed already when its revocation came', async () => {
    const [passed, covered] = [await verified({ txn: 'passed' }), await verified({ txn: 'covered' })];
    const ends: string[] = [];
    const add = (token: VerifiedToken, onEnd: () => void) => {
      const call = liveCalls.add({
        token,
        rule,
        end() {
          ends.push(token.claims.txn);
          call.release();
          onEnd();
        },
      });
    };
    add(passed, () => {});
    add(covered, () => issuer.revoke({ kind: 'chain', value: 'passed' }));
    issuer.revoke({ kind: 'chain', value: 'covered' });
    await until(() => liveCalls.size === 0);
    expect(ends).toEqual(['covered', 'passed']);
  });

  it('ends a call at the end of its token, not a millisecond before', async () => {
    const { ends } = watch(await verified({ exp: inSeconds(300) }));
    await pass(299_999);
    expect(ends).toEqual([]);
    await pass(1);
    expect(ends).toEqual(['TOKEN_EXPIRED']);
  });

  it('ends a call with a token that only tolerance let in when tolerance ends', async () => {
    const { ends } = watch(await verified({ iat: inSeconds(-100), exp: inSeconds(-2) }));
    await pass(2_999);
    expect(ends).toEqual([]);
    await pass(1);
    expect(ends).toEqual(['TOKEN_EXPIRED']);
  });

  it('gives tolerance to a call with a token that ended the moment it came', async () => {
    const { ends } = watch(await verified({ iat: inSeconds(-100), exp: inSeconds(0) }));
    await pass(4_999);
    expect(ends).toEqual([]);
    await pass(1);
    expect(ends).toEqual(['TOKEN_EXPIRED']);
  });

  it('looks at nothing any more once it is closed', async () => {
    const { ends } = watch(await verified());
    liveCalls.close();
    issuer.revoke({ kind: 'client', value: gateway });
    await turn();
    expect(ends).toEqual([]);
  });

  it('lets a call live for longer than setTimeout can wait', async () => {
    const { ends } = watch(await verified({ exp: inSeconds(2 ** 22) }));
    await pass(2 ** 31 - 1);
    expect(ends).toEqual([]);
    await pass(2 ** 22 * 1000 - 2 ** 31);
    expect(ends).toEqual([]);
    await pass(1);
    expect(ends).toEqual(['TOKEN_EXPIRED']);
  });

  it('ends a call soon after the clock was set beyond the end of its token', async () => {
    const { ends } = watch(await verified({ exp: inSeconds(300) }));
    vi.setSystemTime(inSeconds(300) * 1000);
    await until(() => ends.length > 0);
    expect(ends).toEqual(['TOKEN_EXPIRED']);
  });

  it.each(['asked', 'closed'] as const)('ends a call when calls of its method are %s, not when they are tolerated', async (state) => {
    const { ends } = watch(await verified());
    staleness = 'tolerated';
    await until(() => sweeps > 0);
    expect(ends).toEqual([]);
    staleness = state;
    await until(() => ends.length > 0);
    expect(ends).toEqual(['REVOCATION_STALE']);
  });

  it('announces a call once, when a quarter of its token is over', async () => {
    let announced = 0;
    watch(await verified({ exp: inSeconds(300) }), () => announced++);
    await pass(74_999);
    expect(announced).toBe(0);
    await pass(1);
    expect(announced).toBe(1);
    await pass(224_999);
    expect(announced).toBe(1);
  });

  it('ends a call that was announced at the end of its token', async () => {
    const { ends } = watch(await verified({ exp: inSeconds(300) }), () => {});
    await pass(299_999);
    expect(ends).toEqual([]);
    await pass(1);
    expect(ends).toEqual(['TOKEN_EXPIRED']);
  });
});

describe('renew', () => {
  it('moves the end of the call to the end of the new token', async () => {
    const { call, ends } = watch(await verified({ exp: inSeconds(300) }));
    const renewed = await verified({ exp: inSeconds(500) });
    expect(call.renew(renewed)).toBe(inSeconds(500));
    expect(call.token).toBe(renewed);
    expect(call.rule).toBe(rule);
    await pass(499_999);
    expect(ends).toEqual([]);
    await pass(1);
    expect(ends).toEqual(['TOKEN_EXPIRED']);
  });

  it('before the announcement leaves only the end to wait for', async () => {
    let announced = 0;
    const { call, ends } = watch(await verified({ exp: inSeconds(300) }), () => announced++);
    call.renew(await verified({ exp: inSeconds(500) }));
    await pass(499_999);
    expect([announced, ends]).toEqual([0, []]);
  });

  it.each([
    ['as early', 300],
    ['earlier', 299],
  ])('with a token that ends %s changes nothing', async (_, seconds) => {
    const { call } = watch(await verified({ exp: inSeconds(300) }));
    const { token } = call;
    expect(call.renew(await verified({ exp: inSeconds(seconds) }))).toBe(inSeconds(300));
    expect(call.token).toBe(token);
  });

  it('lets a stream live on that is renewed before its end has its turn', async () => {
    const tokens = [await verified({ exp: inSeconds(300) }), await verified({ exp: inSeconds(500) })] as const;
    const slow = () => {
      const since = performance.now();
      while (performance.now() - since < 10); // longer than a slice
    };
    const ended: string[] = [];
    const [first, second] = ['first', 'second'].map((name) => {
      const call: WatchedCall = liveCalls.add({
        token: tokens[0],
        rule,
        end() {
          ended.push(name);
          call.release();
          slow();
        },
      });
      return call;
    });
    vi.advanceTimersByTime(300_000);
    expect(ended).toEqual(['first']);
    expect(second?.renew(tokens[1])).toBe(inSeconds(500));
    await turn();
    await turn();
    expect(ended).toEqual(['first']);
    expect(liveCalls.size).toBe(1);
    expect(first?.token).toBe(tokens[0]);
  });

  it('with a token that was revoked since it was verified is refused, and the call keeps what it has', async () => {
    const { call, ends } = watch(await verified({ exp: inSeconds(10) }));
    const { token } = call;
    const revoked = await verified({ jti: 'revoked', exp: inSeconds(20) });
    issuer.revoke({ kind: 'token', value: 'revoked' });
    expect(() => call.renew(revoked)).toThrow(expect.objectContaining({ reason: 'TOKEN_REVOKED' }));
    expect(call.token).toBe(token);
    await turn();
    expect(ends).toEqual([]);
  });

  it('with a token that is over by now gives no tolerance to the call', async () => {
    const { call } = watch(await verified({ exp: inSeconds(10) }));
    const late = await verified({ exp: inSeconds(20) });
    vi.setSystemTime(inSeconds(20) * 1000);
    expect(() => call.renew(late)).toThrow(expect.objectContaining({ reason: 'TOKEN_EXPIRED' }));
  });

  it('is refused when what the call was opened in was revoked since, although the new token is of another chain', async () => {
    const { call } = watch(await verified({ txn: 'opened', exp: inSeconds(10) }));
    const renewed = await verified({ txn: 'other', exp: inSeconds(20) });
    issuer.revoke({ kind: 'chain', value: 'opened' });
    expect(() => call.renew(renewed)).toThrow(expect.objectContaining({ reason: 'TOKEN_REVOKED' }));
  });

  it('does not take a call out of the chain that it was opened in', async () => {
    const { call, ends } = watch(await verified({ txn: 'opened', exp: inSeconds(10) }));
    call.renew(await verified({ txn: 'other', exp: inSeconds(20) }));
    issuer.revoke({ kind: 'chain', value: 'opened' });
    await turn();
    expect(ends).toEqual(['TOKEN_REVOKED']);
  });

  it('outlives revocations that were there before the new token was issued', async () => {
    const { call, ends } = watch(await verified({ exp: inSeconds(10) }));
    call.renew(await verified({ exp: inSeconds(20), rn: 1 }));
    issuer.revoke({ kind: 'client', value: gateway }); // at position 1: it covers what was issued before
    await turn();
    expect(ends).toEqual([]);
    issuer.revoke({ kind: 'client', value: gateway });
    await turn();
    expect(ends).toEqual(['TOKEN_REVOKED']);
  });
});
