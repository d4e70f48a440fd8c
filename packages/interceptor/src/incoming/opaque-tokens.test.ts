import { randomBytes } from 'node:crypto';
import { type JsonObject, TokenError } from '@tokenmesh/token';
import { beforeEach, describe, expect, it } from 'vitest';
import { createTestIssuer, gateway, orders, type TestIssuer } from '../test-issuer.ts';
import type { Introspection } from './introspector.ts';
import type { Rule } from './rules.ts';
import { type CallVerifier, createCallVerifier, type Peer } from './verify-call.ts';

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
const from = (address: string): Peer => ({ certificateThumbprint: () => 'A'.repeat(43), address });
const newToken = () => `tm_${randomBytes(32).toString('base64url')}`;

/** token-exchange as the tests play it. */
let issuer: TestIssuer;
let claims: Map<string, JsonObject>;
let asked: string[];
let outage: Error | undefined;
/** When set, answers wait for it. */
let gate: Promise<void> | undefined;
let verifier: CallVerifier;

async function introspect(compact: string): Promise<Introspection> {
  asked.push(compact);
  if (outage) throw outage;
  const found = claims.get(compact);
  await gate;
  return found ? { active: true, claims: found } : { active: false };
}

function issue(changes: JsonObject = {}): string {
  const token = newToken();
  const iat = Math.floor(issuer.nowMs / 1000);
  const usual = { iss: issuer.issuer, sub: gateway, aud: orders, iat, exp: iat + 300, jti: token.slice(3, 25), client_id: gateway };
  claims.set(token, { ...usual, scope: 'orders.write', txn: 't1', rn: 0, ...changes });
  return token;
}

function open(opaqueKeepMs?: number): CallVerifier {
  const { keys, revocation, now } = issuer;
  return createCallVerifier({
    ...{ audience: orders, issuer: issuer.issuer, keys, revocation, introspect, now },
    ...(opaqueKeepMs !== undefined && { opaqueKeepMs }),
  });
}

const verify = (token: string, as = rule, peer = from('10.1.2.3')) => verifier.verify({ scheme: 'Bearer', token }, as, peer);

async function reasonOf(decide: () => unknown): Promise<string> {
  try {
    await decide();
    return 'ADMITTED';
  } catch (error) {
    return error instanceof TokenError ? error.reason : String(error);
  }
}

beforeEach(() => {
  issuer = createTestIssuer();
  claims = new Map();
  asked = [];
  [outage, gate] = [undefined, undefined];
  verifier = open();
});

describe('an opaque token', () => {
  it('is asked about once, and then decided at once', async () => {
    const token = issue({ act: { sub: orders }, sid: 's1' });
    const { caller } = await verify(token);
    expect(caller).toMatchObject({ sub: gateway, act: [orders], txn: 't1', stale: false });
    expect(verify(token)).toMatchObject({ caller });
    expect(asked).toEqual([token]);
  });

  it('is asked about once by all who come while the answer is awaited', async () => {
    const token = issue();
    const admitted = await Promise.all(Array.from({ length: 100 }, () => verify(token)));
    expect(admitted).toHaveLength(100);
    expect(asked).toHaveLength(1);
  });

  it('is not asked about again while the answer is late, however late', async () => {
    const token = issue();
    const release = Promise.withResolvers<void>();
    gate = release.promise;
    const first = verify(token);
    issuer.nowMs += 9_000;
    const second = verify(token);
    release.resolve();
    await Promise.all([first, second]);
    expect(asked).toHaveLength(1);
  });

  it('is asked about again when the answer is 30 s old, and not before', async () => {
    const token = issue();
    await verify(token);
    issuer.nowMs += 29_999;
    expect(verify(token)).not.toBeInstanceOf(Promise);
    issuer.nowMs += 1;
    claims.delete(token);
    expect(await reasonOf(() => verify(token))).toBe('TOKEN_REVOKED');
  });

  it('is asked about for every call when nothing may be kept', async () => {
    verifier = open(0);
    const token = issue();
    await verify(token);
    await verify(token);
    expect(asked).toHaveLength(2);
    expect(() => open(-1)).toThrow(TypeError);
    expect(() => open(300_001)).toThrow(TypeError);
  });

  it('is refused from its exp on although the answer is kept', async () => {
    verifier = open(300_000);
    const token = issue({ exp: Math.floor(issuer.nowMs / 1000) + 10 });
    await verify(token);
    issuer.nowMs += 14_999;
    expect(await reasonOf(() => verify(token))).toBe('ADMITTED');
    issuer.nowMs += 1;
    expect(await reasonOf(() => verify(token))).toBe('TOKEN_EXPIRED');
    expect(asked).toHaveLength(1);
  });

  it.each([
    ['token', { jti: 'j1' }, 'j1'],
    ['client', {}, gateway],
    ['session', { sid: 's1' }, 's1'],
    ['chain', { txn: 't9' }, 't9'],
    ['actor', { act: { sub: orders } }, orders],
    ['all', {}, ''],
  ] as const)('is refused at once when a revocation of its %s covers it, and issued afterwards it works', async (kind, changes, value) => {
    const token = issue(changes);
    await verify(token);
    issuer.revoke({ kind, value });
    expect(await reasonOf(() => verify(token))).toBe('TOKEN_REVOKED');
    if (kind !== 'token') expect(await reasonOf(() => verify(issue({ ...changes, jti: 'j2', rn: 1 })))).toBe('ADMITTED');
    expect(asked.filter((compact) => compact === token)).toHaveLength(1);
  });

  it('that is not active is refused as one that a new token mends, and the answer kept for a second', async () => {
    const token = newToken();
    expect(await reasonOf(() => verify(token))).toBe('TOKEN_REVOKED');
    issuer.nowMs += 999;
    expect(await reasonOf(() => verify(token))).toBe('TOKEN_REVOKED');
    expect(asked).toHaveLength(1);
    issuer.nowMs += 1;
    await reasonOf(() => verify(token));
    expect(asked).toHaveLength(2);
  });

  it('cannot be decided while token-exchange cannot be asked, which is not remembered', async () => {
    outage = new Error('down');
    const token = issue();
    expect(await reasonOf(() => verify(token))).toBe('KEYS_UNAVAILABLE');
    outage = undefined;
    expect(await reasonOf(() => verify(token))).toBe('ADMITTED');
  });

  it.each<[string, JsonObject, string]>([
    ['for another audience', { aud: gateway }, 'AUDIENCE_MISMATCH'],
    ['of another issuer', { iss: 'https://other.test' }, 'ISSUER_UNTRUSTED'],
    ['that lives too long', { exp: 1_767_225_600 + 901 }, 'TOKEN_MALFORMED'],
    ['that is not valid yet', { iat: 1_767_225_606 }, 'TOKEN_NOT_YET_VALID'],
    ['without a jti', { jti: '' }, 'TOKEN_MALFORMED'],
    ['with a binding that is not understood', { cnf: {} }, 'TOKEN_MALFORMED'],
    ['bound to another certificate', { cnf: { 'x5t#S256': `${'A'.repeat(42)}E` } }, 'BINDING_MISMATCH'],
    ['bound to another network', { net: ['192.168.0.0/16'] }, 'BINDING_MISMATCH'],
    ['without the scope', { scope: 'orders.read' }, 'SCOPE_INSUFFICIENT'],
  ])('%s is refused although it is active', async (_, changes, reason) => {
    expect(await reasonOf(() => verify(issue(changes)))).toBe(reason);
  });

  it('counts for critical methods while revocations are stale as long as token-exchange says so, second by second', async () => {
    issuer.freshness = { state: 'stale', freshAtMs: 0, ageMs: 6_000, epoch: 'e1', n: 0, path: 'memory' };
    const critical: Rule = { ...rule, class: 'critical' };
    const token = issue();
    expect(await reasonOf(() => verify(token, critical))).toBe('ADMITTED');
    issuer.nowMs += 999;
    claims.delete(token);
    expect(await reasonOf(() => verify(token, critical))).toBe('ADMITTED');
    issuer.nowMs += 1;
    expect(await reasonOf(() => verify(token, critical))).toBe('TOKEN_REVOKED');
  });

  it('is malformed where nobody can be asked, and with any other number of characters', async () => {
    const { keys, revocation, now } = issuer;
    const token = issue();
    expect(await reasonOf(() => verify(`${token}A`))).toBe('TOKEN_MALFORMED');
    expect(await reasonOf(() => verify(`A${token}`))).toBe('TOKEN_MALFORMED');
    expect(await reasonOf(() => verify(token.slice(0, -1)))).toBe('TOKEN_MALFORMED');
    verifier = createCallVerifier({ audience: orders, issuer: issuer.issuer, keys, revocation, now });
    expect(await reasonOf(() => verify(token))).toBe('TOKEN_MALFORMED');
  });
});

describe('a flood of opaque tokens', () => {
  async function flood(count: number, address: (index: number) => string) {
    const release = Promise.withResolvers<void>();
    gate = release.promise;
    const outcomes = Array.from({ length: count }, (_, index) => reasonOf(() => verify(newToken(), rule, from(address(index)))));
    await new Promise((resolve) => setImmediate(resolve));
    return { release, outcomes };
  }

  it('of one peer keeps no more than 16 questions waiting, and leaves room for others', async () => {
    const { release, outcomes } = await flood(1_000, () => '10.6.6.6');
    expect(asked).toHaveLength(16);
    const good = reasonOf(() => verify(issue()));
    release.resolve();
    expect(await good).toBe('ADMITTED');
    expect((await Promise.all(outcomes)).filter((reason) => reason === 'KEYS_UNAVAILABLE')).toHaveLength(984);
  });

  it('of many peers keeps no more than 64 questions waiting, and touches nobody whose token is known', async () => {
    const known = issue();
    await verify(known);
    asked.length = 0;
    const { release, outcomes } = await flood(1_000, (index) => `10.6.${index % 250}.6`);
    expect(asked).toHaveLength(64);
    expect(verify(known)).not.toBeInstanceOf(Promise);
    release.resolve();
    await Promise.all(outcomes);
    expect(await reasonOf(() => verify(issue()))).toBe('ADMITTED'); // there is room again
  });
});
