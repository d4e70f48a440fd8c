import type { Freshness } from '@tokenmesh/revocation';
import { TokenError } from '@tokenmesh/token';
import { beforeEach, describe, expect, it } from 'vitest';
import { createTestIssuer, gateway, orders, type TestIssuer } from '../test-issuer.ts';
import { checkRule } from './check-rule.ts';
import type { Introspection } from './introspector.ts';
import type { Rule } from './rules.ts';
import { type AdmittedCall, type CallVerifier, createCallVerifier, type Peer } from './verify-call.ts';

const rule: Rule = {
  method: '/shop.v1.Orders/Create',
  scopes: ['orders.write'],
  anyScope: [],
  public: false,
  callers: [],
  maxActDepth: undefined,
  requireBinding: false,
  class: 'standard',
  maxStaleMs: undefined,
  maxBlindMs: undefined,
};
const critical: Rule = { ...rule, class: 'critical' };
const peer: Peer = { certificateThumbprint: () => 'A'.repeat(43), address: '10.1.2.3' };
const bearer = (token: string) => ({ scheme: 'Bearer', token }) as const;

let issuer: TestIssuer;
let verifier: CallVerifier;

function open(introspect?: (compact: string) => Promise<Introspection>, maxCachedTokens?: number): CallVerifier {
  return createCallVerifier({
    audience: orders,
    issuer: issuer.issuer,
    keys: issuer.keys,
    revocation: issuer.revocation,
    now: issuer.now,
    ...(introspect && { introspect }),
    ...(maxCachedTokens && { maxCachedTokens }),
  });
}

function admitted(token: string, as: Rule = rule, from: Peer = peer): AdmittedCall {
  const outcome = verifier.verify(bearer(token), as, from);
  if (outcome instanceof Promise) throw new Error('the verifier made a promise where the key is known');
  return outcome;
}

function reasonOf(decide: () => unknown): string {
  try {
    decide();
    return 'ADMITTED';
  } catch (error) {
    return error instanceof TokenError ? error.reason : String(error);
  }
}

beforeEach(() => {
  issuer = createTestIssuer();
  verifier = open();
});

describe('createCallVerifier', () => {
  it('admits a caller with the right token at once and says who it is', () => {
    const { caller } = admitted(issuer.token({ act: { sub: 'spiffe://shop.test/web' } }));
    expect(caller).toMatchObject({ sub: gateway, clientId: gateway, act: ['spiffe://shop.test/web'], txn: 'txn-1', stale: false });
    expect(caller.scope).toEqual(['orders.read', 'orders.write']);
  });

  it('keeps the token itself out of the caller that handlers see', () => {
    const token = issuer.token();
    const { caller } = admitted(token);
    expect(JSON.stringify(caller)).not.toContain(token.slice(-20));
  });

  it('decides alike on the first sight of a token and on every later one', () => {
    const token = issuer.token();
    expect(admitted(token).caller).toBe(admitted(token).caller);
    expect(reasonOf(() => admitted(token, { ...rule, scopes: ['orders.delete'] }))).toBe('SCOPE_INSUFFICIENT');
    issuer.nowMs += 305_000 - 1;
    expect(reasonOf(() => admitted(token))).toBe('ADMITTED');
    issuer.nowMs += 1;
    expect(reasonOf(() => admitted(token))).toBe('TOKEN_EXPIRED');
  });

  it('refuses a cached token as soon as a revocation covers it', () => {
    const token = issuer.token({ jti: 'j'.repeat(22) });
    admitted(token);
    issuer.revoke({ kind: 'token', value: 'j'.repeat(22) });
    expect(reasonOf(() => admitted(token))).toBe('TOKEN_REVOKED');
    expect(reasonOf(() => admitted(issuer.token()))).toBe('ADMITTED');
  });

  it('kills a client with everything it held, and nothing that it got afterwards', () => {
    const before = issuer.token();
    issuer.revoke({ kind: 'client', value: gateway });
    expect(reasonOf(() => admitted(before))).toBe('TOKEN_REVOKED');
    expect(reasonOf(() => admitted(issuer.token()))).toBe('ADMITTED');
  });

  it('T-11: never mistakes one token for another, though they share all but their end', () => {
    const tokens = Array.from({ length: 50 }, (_, i) => issuer.token({ txn: `t${i}` }));
    for (const token of tokens) admitted(token);
    tokens.forEach((token, i) => {
      expect(admitted(token).caller.txn).toBe(`t${i}`);
    });
  });

  it('T-11: keeps no more verified tokens than it may', () => {
    verifier = open(undefined, 2);
    const [a, b, c] = [issuer.token(), issuer.token(), issuer.token()];
    const firstCaller = admitted(a).caller;
    admitted(b);
    admitted(c);
    const again = admitted(a).caller;
    expect(again).toEqual(firstCaller);
    expect(again).not.toBe(firstCaller);
  });

  describe('rules', () => {
    it.each<[string, Partial<Rule>, string]>([
      ['one of several scopes', { scopes: [], anyScope: ['x', 'orders.read'] }, 'ADMITTED'],
      ['none of several scopes', { scopes: [], anyScope: ['x', 'y'] }, 'SCOPE_INSUFFICIENT'],
      ['one of two scopes that are both needed', { scopes: ['orders.write', 'x'] }, 'SCOPE_INSUFFICIENT'],
      ['a listed caller', { callers: [gateway] }, 'ADMITTED'],
      ['an unlisted caller', { callers: [orders] }, 'CALLER_NOT_ALLOWED'],
      ['an unbound token where binding is required', { requireBinding: true }, 'BINDING_MISMATCH'],
      ['no actor where none is allowed', { maxActDepth: 0 }, 'ADMITTED'],
    ])('%s: %s', (_, part, expected) => {
      expect(reasonOf(() => admitted(issuer.token(), { ...rule, ...part }))).toBe(expected);
    });

    it.each<[string, Partial<Rule>, [string, boolean, string][]]>([
      ['the scopes that it needs', {}, [['scopes', true, 'orders.read orders.write with orders.write']]],
      ['nothing', { scopes: [] }, []],
      [
        'no check after the one that fails',
        { scopes: ['x', 'y'], callers: [gateway] },
        [['scopes', false, 'orders.read orders.write with x y']],
      ],
      [
        'one of several scopes, and the callers',
        { scopes: [], anyScope: ['x', 'orders.read'], callers: [orders, gateway] },
        [
          ['any_scope', true, 'orders.read orders.write with one of x orders.read'],
          ['callers', true, `${gateway} with ${orders}, ${gateway}`],
        ],
      ],
      ['callers that do not include this one', { scopes: [], callers: [orders] }, [['callers', false, `${gateway} with ${orders}`]]],
      ['none of several scopes', { scopes: [], anyScope: ['x'] }, [['any_scope', false, 'orders.read orders.write with one of x']]],
      ['the length of the chain', { scopes: [], maxActDepth: 0 }, [['max_act_depth', true, '0 with at most 0']]],
    ])('tell what they compare: %s', (_, part, expected) => {
      const told: unknown[] = [];
      reasonOf(() => checkRule(admitted(issuer.token()).token, { ...rule, ...part }, (...line) => told.push(line)));
      expect(told).toEqual(expected);
    });

    it('tell that a chain is too long', () => {
      const { token } = admitted(issuer.token({ act: { sub: orders } }));
      const told: unknown[] = [];
      expect(reasonOf(() => checkRule(token, { ...rule, maxActDepth: 0 }, (...line) => told.push(line)))).toBe('DELEGATION_NOT_ALLOWED');
      expect(told.at(-1)).toEqual(['max_act_depth', false, '1 with at most 0']);
    });

    it('counts the current actor, and nobody further down the chain, as the caller', () => {
      const token = issuer.token({ act: { sub: orders, act: { sub: 'spiffe://shop.test/web' } } });
      expect(reasonOf(() => admitted(token, { ...rule, callers: [orders] }))).toBe('ADMITTED');
      expect(reasonOf(() => admitted(token, { ...rule, callers: ['spiffe://shop.test/web'] }))).toBe('CALLER_NOT_ALLOWED');
      expect(reasonOf(() => admitted(token, { ...rule, callers: [gateway] }))).toBe('CALLER_NOT_ALLOWED');
    });

    it('takes a chain of the longest length allowed, and none that is longer', () => {
      const token = issuer.token({ act: { sub: orders, act: { sub: 'spiffe://shop.test/web' } } });
      expect(reasonOf(() => admitted(token, { ...rule, maxActDepth: 2 }))).toBe('ADMITTED');
      expect(reasonOf(() => admitted(token, { ...rule, maxActDepth: 1 }))).toBe('DELEGATION_TOO_DEEP');
      expect(reasonOf(() => admitted(token, { ...rule, maxActDepth: 0 }))).toBe('DELEGATION_NOT_ALLOWED');
    });
  });

  describe('binding', () => {
    it('takes a certificate-bound token from the holder of the certificate only', () => {
      const token = issuer.token({ cnf: { 'x5t#S256': 'A'.repeat(43) } });
      expect(reasonOf(() => admitted(token))).toBe('ADMITTED');
      expect(reasonOf(() => admitted(token, rule, { ...peer, certificateThumbprint: () => `${'A'.repeat(42)}E` }))).toBe(
        'BINDING_MISMATCH',
      );
      expect(reasonOf(() => admitted(token, rule, { ...peer, certificateThumbprint: () => undefined }))).toBe('BINDING_MISMATCH');
    });

    it('refuses a key-bound token that comes as a bearer token', () => {
      expect(reasonOf(() => admitted(issuer.token({ cnf: { jkt: 'A'.repeat(43) } })))).toBe('BOUND_TOKEN_AS_BEARER');
    });

    it.each([
      [['10.0.0.0/8'], '10.1.2.3', 'ADMITTED'],
      [['10.1.2.3/32'], '10.1.2.3', 'ADMITTED'],
      [['10.1.2.4/32', '192.168.0.0/16'], '10.1.2.3', 'BINDING_MISMATCH'],
      [['10.0.0.0/8'], '::ffff:10.1.2.3', 'ADMITTED'],
      [['fd00::/8'], 'fd00::1', 'ADMITTED'],
      [['fd00::/8'], '10.1.2.3', 'BINDING_MISMATCH'],
      [['0.0.0.0/0'], '', 'BINDING_MISMATCH'],
    ])('takes a token bound to %j from %s: %s', (net, address, expected) => {
      expect(reasonOf(() => admitted(issuer.token({ net }), rule, { ...peer, address }))).toBe(expected);
    });
  });

  describe('freshness', () => {
    const stale = (ageMs: number) => ({ state: 'stale', freshAtMs: 0, ageMs, epoch: 'e1', n: 0, path: 'memory' }) as const;

    it('decides nothing before the feed was ever heard', () => {
      const { token } = admitted(issuer.token());
      issuer.freshness = { state: 'empty' };
      expect(reasonOf(() => admitted(issuer.token()))).toBe('REVOCATION_STALE');
      expect(verifier.staleness(rule, token)).toBe('closed');
    });

    it('closes critical methods while stale, and marks callers of standard ones', () => {
      issuer.freshness = stale(6_000);
      expect(reasonOf(() => admitted(issuer.token(), critical))).toBe('REVOCATION_STALE');
      const { caller } = admitted(issuer.token());
      expect(caller.stale).toBe(true);
    });

    it('closes standard methods, too, once no token could be alive that was issued when the feed was last heard', () => {
      issuer.freshness = stale(900_000);
      expect(reasonOf(() => admitted(issuer.token()))).toBe('ADMITTED');
      issuer.freshness = stale(900_001);
      expect(reasonOf(() => admitted(issuer.token()))).toBe('REVOCATION_STALE');
    });

    it("goes by the method's own limit where it names one", () => {
      const strict = { ...critical, maxStaleMs: 1_000 };
      issuer.freshness = { ...stale(1_000), state: 'fresh' };
      expect(reasonOf(() => admitted(issuer.token(), strict))).toBe('ADMITTED');
      issuer.freshness = { ...stale(1_001), state: 'fresh' };
      expect(reasonOf(() => admitted(issuer.token(), strict))).toBe('REVOCATION_STALE');
    });

    it('refuses a known revocation however stale it is', () => {
      const token = issuer.token();
      issuer.revoke({ kind: 'all', value: '' });
      issuer.freshness = stale(6_000);
      expect(reasonOf(() => admitted(token))).toBe('TOKEN_REVOKED');
    });

    it.each<[string, () => Promise<Introspection>, string]>([
      ['active', async () => ({ active: true, claims: { jti: 'j1' } }), 'ADMITTED'],
      ['active, of another token', async () => ({ active: true, claims: { jti: 'j2' } }), 'TOKEN_REVOKED'],
      ['not active', async () => ({ active: false }), 'TOKEN_REVOKED'],
      ['nothing', () => Promise.reject(new Error('down')), 'REVOCATION_STALE'],
    ])('asks token-exchange about calls of critical methods while stale, and goes by its answer: %s', async (_, introspect, expected) => {
      verifier = open(introspect);
      issuer.freshness = stale(6_000);
      const outcome = Promise.resolve(verifier.verify(bearer(issuer.token({ jti: 'j1' })), critical, peer));
      const reason = await outcome.then(
        ({ caller }) => (caller.sub === gateway ? 'ADMITTED' : 'ADMITTED AS SOMEBODY ELSE'),
        (error: TokenError) => error.reason,
      );
      expect(reason).toBe(expected);
    });

    it.each([
      [100, 250, 'ADMITTED'],
      [100, 251, 'REVOCATION_STALE'],
      [400, 400, 'ADMITTED'],
      [400, 401, 'REVOCATION_STALE'],
    ])("on a method that takes an age of %d ms takes token-exchange's word for %d ms: %s", async (maxStaleMs, lateMs, expected) => {
      verifier = open(async () => {
        issuer.nowMs += lateMs;
        return { active: true, claims: { jti: 'j1' } };
      });
      issuer.freshness = stale(6_000);
      const rule = { ...critical, maxStaleMs };
      const outcome = Promise.resolve(verifier.verify(bearer(issuer.token({ jti: 'j1' })), rule, peer));
      expect(
        await outcome.then(
          () => 'ADMITTED',
          ({ reason }: TokenError) => reason,
        ),
      ).toBe(expected);
    });
  });

  it.each([
    [{ aud: gateway }, 'AUDIENCE_MISMATCH'],
    [{ iss: 'https://other.test' }, 'ISSUER_UNTRUSTED'],
  ])('refuses a token with %j: %s', (claims, reason) => {
    expect(reasonOf(() => admitted(issuer.token(claims)))).toBe(reason);
  });

  it.each([
    ['clockToleranceSeconds', 5, 6],
    ['clockToleranceSeconds', 0, -1],
    ['clockToleranceSeconds', 2, 2.5],
    ['opaqueKeepMs', 300_000, 300_001],
    ['opaqueKeepMs', 0, -1],
    ['maxBlindMs', 0, -1],
    ['maxBlindMs', 900_000, Number.NaN],
  ])('T-44: may be made with %s of %d, and not of %d', (name, right, wrong) => {
    const options = { audience: orders, issuer: issuer.issuer, keys: issuer.keys, revocation: issuer.revocation };
    expect(() => createCallVerifier({ ...options, [name]: right })).not.toThrow();
    expect(() => createCallVerifier({ ...options, [name]: wrong })).toThrow(TypeError);
  });

  it('judges a call by one moment: it reads each clock once, and has the revocations judged by the same', () => {
    let read: string[] = [];
    verifier = createCallVerifier({
      ...{ audience: orders, issuer: issuer.issuer, keys: issuer.keys },
      revocation: {
        ...issuer.revocation,
        freshness: (at) => ({ ...issuer.freshness, path: `${read.push('freshness')} ${at?.wallMs} ${at?.monotonicMs}` }),
      },
      now: () => issuer.now() + 0 * read.push('wall'),
      monotonicNow: () => 7 + 0 * read.push('monotonic'),
    });
    const token = issuer.token();
    admitted(token);
    read = [];
    let heard: Freshness | undefined;
    verifier.verify(bearer(token), rule, peer, (_, freshness) => {
      heard = freshness;
    });
    expect(read).toEqual(['wall', 'monotonic', 'freshness']);
    expect(heard).toMatchObject({ path: `3 ${issuer.nowMs} 7` });
  });

  it('judges the times of tokens by what the clocks are known to mean', () => {
    verifier = createCallVerifier({
      ...{
        audience: orders,
        issuer: issuer.issuer,
        keys: issuer.keys,
        revocation: issuer.revocation,
        now: issuer.now,
        monotonicNow: () => 7,
      },
      timeAt: ({ wallMs, monotonicMs }) => wallMs + monotonicMs * 1000,
    });
    const iat = issuer.nowMs / 1000;
    expect(reasonOf(() => admitted(issuer.token({ exp: iat + 3 })))).toBe('ADMITTED');
    const ending = issuer.token({ exp: iat + 2 });
    expect(reasonOf(() => admitted(ending))).toBe('TOKEN_EXPIRED');
    issuer.nowMs -= 1;
    expect(reasonOf(() => admitted(ending))).toBe('ADMITTED');
    issuer.nowMs += 1;
    expect(reasonOf(() => admitted(ending))).toBe('TOKEN_EXPIRED');
    expect(verifier.now()).toBe(issuer.nowMs + 7000);
  });

  it('waits for a key that has to be fetched, and decides at once from then on', async () => {
    const keys = { find: async (kid: string) => issuer.keys.find(kid) };
    verifier = createCallVerifier({ audience: orders, issuer: issuer.issuer, keys, revocation: issuer.revocation, now: issuer.now });
    const token = issuer.token();
    const first = verifier.verify(bearer(token), rule, peer);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toEqual(admitted(token));
  });

  it('tells of revocations until it is asked to stop', () => {
    let told = 0;
    const stop = verifier.onRevocation(() => told++);
    issuer.revoke({ kind: 'client', value: gateway });
    stop();
    issuer.revoke({ kind: 'client', value: gateway });
    expect(told).toBe(1);
  });

  it('T-45: verifies nothing for a call that is given up by the next turn', async () => {
    let looked = 0;
    const keys = { find: () => void looked++ };
    verifier = createCallVerifier({ audience: orders, issuer: issuer.issuer, keys, revocation: issuer.revocation, now: issuer.now });
    const from = { ...peer, isGone: false };
    const verdict = verifier.verify(bearer(issuer.token()), rule, from);
    from.isGone = true;
    await expect(verdict).rejects.toThrow('the call was given up');
    expect(looked).toBe(0);
  });

  it('T-29: cannot be made without an audience', () => {
    const options = { issuer: issuer.issuer, keys: issuer.keys, revocation: issuer.revocation };
    expect(() => createCallVerifier({ ...options, audience: '' })).toThrow(TypeError);
    expect(() => createCallVerifier({ ...options, audience: orders, clockToleranceSeconds: 6 })).toThrow(TypeError);
  });
});
