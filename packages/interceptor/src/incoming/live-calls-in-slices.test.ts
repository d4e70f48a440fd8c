import { shopPackage } from '@tokenmesh/proto/shop';
import { type ServiceTokenClaims, type VerifiedToken, verifyServiceToken } from '@tokenmesh/token';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestIssuer, orders, type TestIssuer } from '../test-issuer.ts';
import { createLiveCalls, type LiveCalls, type WatchedCall } from './live-calls.ts';
import { type Rule, readRules } from './rules.ts';

// True: the method is in the package.
const rule = readRules([shopPackage]).get('/shop.v1.Orders/Track') as Rule;

/** Something that happens. */
type Step =
  | {
      readonly do: 'open';
      readonly txn: string;
      readonly client: string;
      /** Whether its token is from before all revocations. */
      readonly isOld: boolean;
      /** How long its end takes, so that a pass is cut into slices there. */
      readonly endMs: number;
      /** The chain that is revoked while it ends. */
      readonly revokesAtEnd: string | undefined;
    }
  | { readonly do: 'release'; readonly which: number }
  | { readonly do: 'renew'; readonly which: number; readonly txn: string }
  | { readonly do: 'revoke'; readonly kind: 'chain' | 'client'; readonly value: string }
  | { readonly do: 'turn' };

const txn = fc.constantFrom('t1', 't2', 't3');
const client = fc.constantFrom('c1', 'c2');
const which = fc.nat(20);
const open: fc.Arbitrary<Extract<Step, { do: 'open' }>> = fc.record({
  ...{ do: fc.constant('open' as const), txn, client, isOld: fc.boolean() },
  endMs: fc.constantFrom(0, 0, 6),
  revokesAtEnd: fc.option(txn, { nil: undefined, freq: 3 }),
});
const revoke: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('revoke' as const), kind: fc.constant('chain' as const), value: txn }),
  fc.record({ do: fc.constant('revoke' as const), kind: fc.constant('client' as const), value: client }),
);
const other: fc.Arbitrary<Step> = fc.oneof(
  open,
  revoke,
  fc.record({ do: fc.constant('release' as const), which }),
  fc.record({ do: fc.constant('renew' as const), which, txn }),
  fc.constant({ do: 'turn' as const }),
);
const steps = fc
  .tuple(fc.array(open, { minLength: 3, maxLength: 12 }), revoke, fc.array(other, { maxLength: 12 }))
  .map(([opens, first, more]): readonly Step[] => [...opens, first, ...more]);

interface Opened {
  readonly call: WatchedCall;
  readonly opening: VerifiedToken;
  state: 'live' | 'ended' | 'released';
}

// what slices are measured by
beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

it('whatever opens, ends, renews and is revoked while streams are looked at, the covered ones end and no others', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (these) => {
      const issuer = createTestIssuer();
      const { keys, now, revocation } = issuer;
      const { set } = revocation;
      const calls = createLiveCalls({
        verifier: { staleness: () => 'fresh', findRevocation: (token) => set.find(token), onRevocation: revocation.onApplied },
        clockToleranceSeconds: 5,
        now,
      });
      const verified = async (claims: Partial<ServiceTokenClaims>) =>
        await verifyServiceToken(issuer.token(claims), { issuer: issuer.issuer, audience: orders, keys, now, maxLifeSeconds: 1e9 });
      const opened: Opened[] = [];
      let life = 300;

      async function openStream({ txn, client: client_id, isOld, endMs, revokesAtEnd }: Extract<Step, { do: 'open' }>): Promise<void> {
        const token = await verified({ txn, client_id, ...(isOld && { rn: 0 }) });
        const one: Opened = {
          opening: token,
          state: 'live',
          call: calls.add({
            token,
            rule,
            end() {
              expect(one.state).toBe('live');
              one.state = 'ended';
              one.call.release();
              vi.advanceTimersByTime(endMs);
              if (revokesAtEnd !== undefined) issuer.revoke({ kind: 'chain', value: revokesAtEnd });
            },
          }),
        };
        opened.push(one);
      }

      /** Whether what is in force covers the token that a stream lives by, or what it was opened in. */
      const isCovered = ({ call: { token }, opening }: Opened) => {
        const { jti, rn, iat } = token.claims;
        return Boolean(set.find(token) ?? set.find({ ...token, claims: { ...opening.claims, jti, rn, iat } }));
      };

      for (const one of these) {
        if (one.do === 'open') await openStream(one);
        else if (one.do === 'turn') await nextTurn();
        else if (one.do === 'revoke') issuer.revoke({ kind: one.kind, value: one.value });
        else {
          const stream = opened[one.which % Math.max(1, opened.length)];
          if (stream?.state !== 'live') continue;
          if (one.do === 'release') {
            stream.state = 'released';
            stream.call.release();
          } else {
            const { client_id } = stream.opening.claims;
            const next = await verified({ txn: one.txn, client_id, exp: now() / 1000 + ++life });
            try {
              if (stream.state === 'live') stream.call.renew(next); // it may have ended meanwhile
            } catch (error) {
              expect(error).toMatchObject({ reason: 'TOKEN_REVOKED' });
            }
          }
        }
      }
      // every pass is over when nothing has changed for some turns
      for (let quiet = 0, before = ''; quiet < 20; ) {
        await nextTurn();
        const states = opened.map(({ state }) => state).join();
        quiet = states === before && !opened.some((one) => one.state === 'live' && isCovered(one)) ? quiet + 1 : 0;
        before = states;
      }
      expect(opened.filter((one) => one.state === 'ended' && !isCovered(one))).toEqual([]);
      expect(calls.size).toBe(opened.filter(({ state }) => state === 'live').length);
      calls.close();
    }),
    { numRuns: 100 },
  );
});

describe('a pass over many streams', () => {
  let issuer: TestIssuer;
  let liveCalls: LiveCalls;
  let [looks, judgements]: [VerifiedToken[], string[]] = [[], []];
  /** Methods with issuers whose revocations were not heard of for too long. */
  let stale: string[];

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
    issuer = createTestIssuer();
    [looks, judgements, stale] = [[], [], []];
    const { set, onApplied } = { set: issuer.revocation.set, onApplied: issuer.revocation.onApplied };
    liveCalls = createLiveCalls({
      verifier: {
        staleness({ method }, { claims: { iss } }) {
          judgements.push(`${method} ${iss}`);
          return stale.includes(`${method} ${iss}`) ? 'asked' : 'fresh';
        },
        findRevocation(token) {
          looks.push(token);
          return set.find(token);
        },
        onRevocation: onApplied,
      },
      clockToleranceSeconds: 5,
      now: issuer.now,
    });
  });
  afterEach(() => liveCalls.close());

  async function verified(claims: Partial<ServiceTokenClaims> = {}): Promise<VerifiedToken> {
    const { keys, now } = issuer;
    return await verifyServiceToken(issuer.token(claims), { issuer: issuer.issuer, audience: orders, keys, now, maxLifeSeconds: 1e9 });
  }

  /** Opens as many streams; the names of those that have ended. */
  function open(count: number, name: string, token: VerifiedToken, itsRule = rule, endMs = 0): string[] {
    const ended: string[] = [];
    for (let n = 0; n < count; n++) {
      const call = liveCalls.add({
        token,
        rule: itsRule,
        end() {
          ended.push(name);
          call.release();
          vi.advanceTimersByTime(endMs);
        },
      });
    }
    return ended;
  }

  it('looks up each token once, however many streams were opened with it', async () => {
    const [covered, other] = [await verified({ txn: 'covered' }), await verified({ txn: 'other' })];
    const ended = [open(500, 'covered', covered), open(500, 'other', other), open(500, 'covered', covered)];
    looks = [];
    issuer.revoke({ kind: 'chain', value: 'covered' });
    while (liveCalls.size > 500) await nextTurn();
    expect(ended.map(({ length }) => length)).toEqual([500, 0, 500]);
    expect(looks).toEqual([covered, other]);
  });

  it('looks at a token again after others had their turn', async () => {
    const [slow, late] = [await verified({ txn: 'slow' }), await verified({ txn: 'late' })];
    const ended = [open(1, 'late', late), open(1, 'slow', slow, rule, 6), open(1, 'late', late)];
    looks = [];
    issuer.revoke({ kind: 'chain', value: 'slow' });
    while (liveCalls.size > 2) await nextTurn();
    await nextTurn();
    expect(ended.map(({ length }) => length)).toEqual([0, 1, 0]);
    expect(looks).toEqual([late, slow, late]);
  });

  it('judges each method once for each issuer, and ends the streams of those alone that may not go on', async () => {
    const [own, partner] = [await verified(), await verified()].map((token, index) => ({
      ...token,
      claims: { ...token.claims, iss: index === 0 ? 'https://own.test' : 'https://partner.test' },
    })) as [VerifiedToken, VerifiedToken]; // as many as were mapped
    const other: Rule = { ...rule, method: '/shop.v1.Orders/Upload' };
    const ended = [own, partner].flatMap((token) => [rule, other].map((its) => open(200, its.method, token, its)));
    stale = [`${rule.method} https://partner.test`];
    vi.advanceTimersByTime(100);
    await nextTurn();
    expect(ended.map(({ length }) => length)).toEqual([0, 0, 200, 0]);
    expect(judgements).toHaveLength(4);
    stale = [];
    vi.advanceTimersByTime(100);
    await nextTurn();
    expect(judgements).toHaveLength(8);
    expect(liveCalls.size).toBe(600);
  });
});
