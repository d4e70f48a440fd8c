import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { credentials, Metadata, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { type OrdersHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { TokenError } from '@tokenmesh/token';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Introspection } from '../incoming/introspector.ts';
import { type Rule, readRules } from '../incoming/rules.ts';
import { serverInterceptors } from '../incoming/server-interceptor.ts';
import { type CallVerifier, createCallVerifier } from '../incoming/verify-call.ts';
import { refusalOf } from '../status.ts';
import { createTestIssuer, gateway, orders, type TestIssuer } from '../test-issuer.ts';

const rule = readRules([shopPackage]).get('/shop.v1.Orders/Create') as Rule;
const critical: Rule = { ...rule, class: 'critical' };
const peer = { certificateThumbprint: () => undefined, address: '10.1.2.3' };
const stale = { state: 'stale', freshAtMs: 0, ageMs: 6_000, epoch: 'e1', n: 0, path: 'memory' } as const;

/** A mesh and its successor. Their keys are different, and have the same kid. */
let mesh: TestIssuer;
let successor: TestIssuer;
let verifier: CallVerifier;

const trusted = ({ issuer, keys, revocation }: TestIssuer) => ({ issuer, keys, revocation });

beforeEach(() => {
  mesh = createTestIssuer();
  successor = createTestIssuer('https://token-exchange.next.test');
  verifier = createCallVerifier({ audience: orders, ...trusted(mesh), alsoTrust: [trusted(successor)], now: mesh.now });
});

const outcome = (token: string, as = rule) => {
  try {
    const admitted = verifier.verify({ scheme: 'Bearer', token }, as, peer);
    return admitted instanceof Promise ? 'ASKED' : admitted.token.claims.iss;
  } catch (error) {
    return error instanceof TokenError ? error.reason : String(error);
  }
};

describe('a verifier that trusts two issuers', () => {
  it('takes the tokens of either', () => {
    expect([outcome(mesh.token()), outcome(successor.token())]).toEqual([mesh.issuer, successor.issuer]);
  });

  it('T-28: verifies a token with the keys of the issuer that it names, and no others', () => {
    expect(outcome(successor.token({ iss: mesh.issuer }))).toBe('TOKEN_SIGNATURE_INVALID');
    expect(outcome(mesh.token({ iss: successor.issuer }))).toBe('TOKEN_SIGNATURE_INVALID');
    for (const signer of [mesh, successor]) expect(outcome(signer.token({ iss: 'https://other.test' }))).toBe('ISSUER_UNTRUSTED');
    expect(outcome(mesh.token({ iss: `${mesh.issuer}/` }))).toBe('ISSUER_UNTRUSTED');
  });

  it('lets an issuer revoke its own tokens, and none of the other', () => {
    const [a, b] = [mesh.token({ jti: 'j1' }), successor.token({ jti: 'j1' })];
    expect([outcome(a), outcome(b)]).toEqual([mesh.issuer, successor.issuer]);
    mesh.revoke({ kind: 'all', value: '' }, { kind: 'token', value: 'j1' }, { kind: 'key', value: 'test-key' });
    expect([outcome(a), outcome(b)]).toEqual(['TOKEN_REVOKED', successor.issuer]);
    successor.revoke({ kind: 'client', value: gateway });
    expect(outcome(b)).toBe('TOKEN_REVOKED');
  });

  it('closes critical methods to the tokens of the issuer that was not heard, and to no others', () => {
    successor.freshness = stale;
    expect([outcome(mesh.token(), critical), outcome(successor.token(), critical)]).toEqual([mesh.issuer, 'REVOCATION_STALE']);
    [mesh.freshness, successor.freshness] = [stale, mesh.freshness];
    expect([outcome(mesh.token(), critical), outcome(successor.token(), critical)]).toEqual(['REVOCATION_STALE', successor.issuer]);
  });

  it("takes a token for the service's name there, and for no other", () => {
    const there = 'spiffe://next.test/orders';
    const alsoTrust = [{ ...trusted(successor), audience: there }];
    verifier = createCallVerifier({ audience: orders, ...trusted(mesh), alsoTrust, now: mesh.now });
    expect(outcome(successor.token({ aud: there }))).toBe(successor.issuer);
    expect(outcome(successor.token())).toBe('AUDIENCE_MISMATCH');
    expect(outcome(mesh.token({ aud: there }))).toBe('AUDIENCE_MISMATCH');
  });

  it('asks in turn about an opaque token, and holds the answer to who gave it', async () => {
    const iat = Math.floor(mesh.nowMs / 1000);
    const claims = { sub: gateway, aud: orders, iat, exp: iat + 60, jti: 'j1', client_id: gateway, scope: 'orders.write', txn: 't', rn: 0 };
    const answers: Record<string, (compact: string) => Promise<Introspection>> = {};
    const withIntrospection = (issuer: TestIssuer) => ({
      ...trusted(issuer),
      introspect: (compact: string) => (answers[issuer.issuer] as (compact: string) => Promise<Introspection>)(compact),
    });
    const alsoTrust = [withIntrospection(successor)];
    verifier = createCallVerifier({ audience: orders, ...withIntrospection(mesh), alsoTrust, now: mesh.now });
    const reason = async (first: Introspection | Error, second: Introspection | Error) => {
      answers[mesh.issuer] = async () => (first instanceof Error ? Promise.reject(first) : first);
      answers[successor.issuer] = async () => (second instanceof Error ? Promise.reject(second) : second);
      const token = `tm_${randomBytes(32).toString('base64url')}`;
      const deciding = verifier.verify({ scheme: 'Bearer', token }, rule, peer) as Promise<{ token: { claims: { iss: string } } }>;
      return await deciding.then(
        (admitted) => admitted.token.claims.iss,
        (error: TokenError) => error.reason,
      );
    };
    const [no, down] = [{ active: false } as const, new Error('down')];
    const yes = (iss: string): Introspection => ({ active: true, claims: { ...claims, iss } });
    expect(await reason(yes(mesh.issuer), no)).toBe(mesh.issuer);
    expect(await reason(no, yes(successor.issuer))).toBe(successor.issuer);
    expect(await reason(down, yes(successor.issuer))).toBe(successor.issuer);
    expect(await reason(new TokenError('KEYS_UNAVAILABLE', 'too many questions'), yes(successor.issuer))).toBe(successor.issuer);
    expect(await reason(no, yes(mesh.issuer))).toBe('ISSUER_UNTRUSTED');
    expect(await reason(down, no)).toBe('KEYS_UNAVAILABLE');
    expect(await reason(no, no)).toBe('TOKEN_REVOKED');
    verifier = createCallVerifier({ audience: orders, ...trusted(mesh), alsoTrust, now: mesh.now });
    expect(await reason(down, yes(successor.issuer))).toBe(successor.issuer); // the first cannot be asked at all
  });

  it('cannot be made with one issuer twice, or without an audience', () => {
    expect(() => createCallVerifier({ audience: orders, ...trusted(mesh), alsoTrust: [trusted(mesh)] })).toThrow('named twice');
    expect(() => createCallVerifier({ audience: orders, ...trusted(mesh), alsoTrust: [{ ...trusted(successor), audience: '' }] })).toThrow(
      TypeError,
    );
  });
});

it('ends a live stream when its own issuer revokes its token, and not when the other one does', async () => {
  const options = { packages: [shopPackage], audience: orders, ...trusted(mesh), alsoTrust: [trusted(successor)], now: mesh.now };
  const guard = serverInterceptors(options);
  const server = new Server({ interceptors: guard.interceptors });
  const handlers: OrdersHandlers = {
    Create: (_, callback) => callback(null, {}),
    Get: (_, callback) => callback(null, {}),
    Upload: (_, callback) => callback(null, {}),
    Track: (call) => {
      call.on('data', ({ order_id }) => call.write({ order: { order_id } }));
    },
  };
  server.addService(shop.Orders.service, handlers);
  const port = await new Promise<number>((resolve) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
  });
  const client = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure());
  const open = async (token: string) => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    const call = client.track(metadata);
    call.write({ order_id: 'o1' });
    await once(call, 'data');
    return { call, ended: once(call, 'error').then(([error]) => refusalOf(error as ServiceError)?.reason) };
  };
  const scope = 'orders.read orders.write';
  const ofMesh = await open(mesh.token({ scope }));
  const ofSuccessor = await open(successor.token({ scope }));
  mesh.revoke({ kind: 'client', value: gateway });
  expect(await ofMesh.ended).toBe('TOKEN_REVOKED');
  ofSuccessor.call.write({ order_id: 'o2' });
  expect(await once(ofSuccessor.call, 'data')).toMatchObject([{ order: { order_id: 'o2' } }]);
  successor.revoke({ kind: 'client', value: gateway });
  expect(await ofSuccessor.ended).toBe('TOKEN_REVOKED');
  guard.close();
  client.close();
  server.forceShutdown();
});
