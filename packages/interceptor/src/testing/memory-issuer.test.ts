import { TokenError } from '@tokenmesh/token';
import { beforeEach, describe, expect, it } from 'vitest';
import { createCaller } from '../incoming/caller.ts';
import { createMemoryIssuer, type MemoryIssuer, type TestToken } from './memory-issuer.ts';

const [gateway, orders, payments] = ['spiffe://mesh.test/gateway', 'spiffe://mesh.test/orders', 'spiffe://mesh.test/payments'];

let issuer: MemoryIssuer;
let nowMs: number;

beforeEach(() => {
  nowMs = Date.UTC(2026, 0, 1);
  issuer = createMemoryIssuer({ trustDomain: 'mesh.test', grants: undefined, now: () => nowMs });
});

/** The caller that orders has verified, who presented such a token. */
function callerWith(token: Partial<TestToken> = {}) {
  const compact = issuer.issue({ as: gateway, for: orders, scope: 'orders.write', ...token });
  const { claims } = JSON.parse(JSON.stringify(issuer.introspect(compact)));
  return createCaller({ claims, kid: issuer.key.kid, scope: ['orders.write'] }, compact);
}

const exchange = (onBehalfOf: ReturnType<typeof callerWith>, by = orders) =>
  issuer.exchange(by, { audience: payments, scope: 'payments.charge', onBehalfOf }, undefined).claims;

function reasonOf(act: () => unknown): string {
  try {
    act();
    return 'issued';
  } catch (error) {
    return error instanceof TokenError ? error.reason : String(error);
  }
}

describe('the issuer in memory', () => {
  it.each([false, true])('issues on behalf of a subject what ends with its token and stays in its chain (opaque: %s)', (opaque) => {
    const caller = callerWith({ sub: 'somebody', act: [gateway], txn: 't1', sid: 's1', lifeSeconds: 100, opaque });
    nowMs += 40_000;
    const claims = exchange(caller);
    expect(claims).toMatchObject({ sub: 'somebody', client_id: orders, txn: 't1', sid: 's1', scope: 'payments.charge', exp: caller.exp });
    expect(claims.act).toEqual({ sub: orders, act: { sub: gateway } });
  });

  it('issues to those only for whom the subject token is', () => {
    expect(reasonOf(() => exchange(callerWith()))).toBe('issued');
    expect(reasonOf(() => exchange(callerWith(), payments))).toBe('SUBJECT_TOKEN_INVALID');
  });

  it('takes a subject token until it ends', () => {
    const caller = callerWith({ lifeSeconds: 10 });
    nowMs += 9_000;
    expect(reasonOf(() => exchange(caller))).toBe('issued');
    nowMs += 1_000;
    expect(reasonOf(() => exchange(caller))).toBe('SUBJECT_TOKEN_INVALID');
  });

  it.each([false, true])('takes no subject token that was revoked (opaque: %s)', (opaque) => {
    const caller = callerWith({ opaque });
    issuer.revoke({ kind: 'token', value: caller.jti });
    expect(reasonOf(() => exchange(caller))).toBe('SUBJECT_TOKEN_INVALID');
  });

  it('lets a chain have five actors, and not six', () => {
    const chain = (length: number) => Array.from({ length }, (_, index) => `spiffe://mesh.test/actor-${index}`);
    expect(reasonOf(() => exchange(callerWith({ act: chain(4) })))).toBe('issued');
    expect(reasonOf(() => exchange(callerWith({ act: chain(5) })))).toBe('DELEGATION_TOO_DEEP');
  });

  it('says of a token that it is active until it ends or is revoked', () => {
    const [ending, revoked] = [
      issuer.issue({ as: gateway, for: orders, lifeSeconds: 10 }),
      issuer.issue({ as: gateway, for: orders, opaque: true }),
    ];
    expect(issuer.introspect(ending)).toMatchObject({ active: true, claims: { sub: gateway } });
    expect(issuer.introspect(revoked)).toMatchObject({ active: true });
    nowMs += 10_000;
    issuer.revoke({ kind: 'all', value: '' });
    for (const token of [ending, revoked, 'tm_unknown', 'not.a.token']) expect(issuer.introspect(token)).toEqual({ active: false });
    expect(issuer.introspect(issuer.issue({ as: gateway, for: orders }))).toMatchObject({ active: true });
  });
});
