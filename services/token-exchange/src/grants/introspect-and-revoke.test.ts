import type { ServiceTokenClaims } from '@tokenmesh/token';
import { signServiceToken } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  authenticate,
  createTestIssuer,
  gateway,
  introspectRequest,
  issuerUrl,
  newId,
  operator,
  orders,
  payments,
  reasonOf,
  revokeRequest,
  type TestIssuer,
} from '../testing.ts';
import { introspectToken } from './introspect-token.ts';
import { revokeToken } from './revoke-token.ts';

let issuer: TestIssuer;
beforeEach(async () => {
  issuer = await createTestIssuer();
});
afterEach(() => issuer.close());

/** A token of gateway, got by orders for payments. */
function issued(claims: Partial<ServiceTokenClaims> = {}): string {
  const iat = Math.floor(issuer.now() / 1000);
  const usual = {
    iss: issuerUrl,
    sub: gateway,
    aud: payments,
    iat,
    exp: iat + 300,
    jti: newId(),
    client_id: orders,
    scope: 'payments.charge',
    txn: 'chain-1',
    rn: 0,
    act: { sub: orders },
  };
  return signServiceToken({ ...usual, ...claims }, issuer.keys.token.signing);
}

const introspect = (clientId: string, token: string) =>
  introspectToken(introspectRequest({ ...authenticate(clientId, issuer.now), token }), issuer);
const revoke = (clientId: string, token: string, others = {}) =>
  revokeToken(revokeRequest({ ...authenticate(clientId, issuer.now), token, ...others }), issuer);
const expired = () => issued({ iat: Math.floor(issuer.now() / 1000) - 400, exp: Math.floor(issuer.now() / 1000) - 100 });

describe('introspection', () => {
  it('tells the audience and the client of a token what it holds', async () => {
    const token = issued({ jti: 'j1', cnf: { jkt: 'A'.repeat(43) }, net: ['10.0.0.0/8'], sid: 's1' });
    const iat = Math.floor(issuer.now() / 1000);
    for (const clientId of [payments, orders]) {
      expect(await introspect(clientId, token)).toEqual({
        active: true,
        token_type: 'DPoP',
        iss: issuerUrl,
        sub: gateway,
        aud: payments,
        client_id: orders,
        scope: 'payments.charge',
        iat,
        exp: iat + 300,
        jti: 'j1',
        txn: 'chain-1',
        rn: 0,
        sid: 's1',
        act: [orders],
        cnf: { x5t_s256: '', jkt: 'A'.repeat(43) },
        net: ['10.0.0.0/8'],
      });
    }
  });

  it('tells the certificate that a token is bound to, which is used as a bearer token', async () => {
    const token = issued({ cnf: { 'x5t#S256': 'A'.repeat(43) } });
    expect(await introspect(payments, token)).toMatchObject({ token_type: 'Bearer', cnf: { x5t_s256: 'A'.repeat(43), jkt: '' } });
  });

  it('T-25 tells everybody else, its subject included, what it tells of no token at all', async () => {
    const nothing = { active: false };
    for (const clientId of [operator, gateway]) expect(await introspect(clientId, issued())).toEqual(nothing);
    for (const token of ['nonsense', expired(), issued({ iss: 'https://evil.test' })])
      expect(await introspect(payments, token)).toEqual(nothing);
  });

  it('sees a revocation that was acknowledged before', async () => {
    const token = issued({ jti: 'j1' });
    await issuer.revocations.append({ targets: [{ kind: 'token', value: 'j1' }], requestedBy: operator });
    expect(await introspect(payments, token)).toEqual({ active: false });
    expect(await introspect(payments, issued())).toMatchObject({ active: true });
  });

  it('needs a client that authenticates, is not suspended, and asks about something', async () => {
    for (const client_id of ['', payments]) {
      expect(await reasonOf(introspectToken(introspectRequest({ client_id, token: issued() }), issuer))).toBe(
        'CLIENT_AUTHENTICATION_FAILED',
      );
    }
    expect(await reasonOf(introspect(payments, ''))).toBe('REQUEST_INVALID');
    await issuer.revocations.append({ targets: [{ kind: 'client', value: payments }], requestedBy: operator, suspend: payments });
    expect(await reasonOf(introspect(payments, issued()))).toBe('CLIENT_NOT_ALLOWED');
  });

  it('T-17 uses its assertion up', async () => {
    const request = introspectRequest({ ...authenticate(payments, issuer.now), token: issued() });
    await introspectToken(request, issuer);
    expect(await reasonOf(introspectToken(request, issuer))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });
});

describe('revocation by a client', () => {
  it('takes back the token alone', async () => {
    const [token, other] = [issued({ jti: 'j1' }), issued({ jti: 'j2' })];
    expect(await revoke(orders, token)).toEqual({ n: 1, acknowledgedAtMs: issuer.now(), broadcast: 'sent' });
    expect(await introspect(payments, token)).toEqual({ active: false });
    expect(await introspect(payments, other)).toMatchObject({ active: true });
    expect((await issuer.store.listTargets(0, 9, 9)).map(({ kind, value, exp, revokedBy }) => [kind, value, exp, revokedBy])).toEqual([
      ['token', 'j1', Math.floor(issuer.now() / 1000) + 360, orders],
    ]);
  });

  it('takes back the whole chain with cascade', async () => {
    const downstream = issued({ client_id: payments });
    await revoke(orders, issued(), { cascade: true });
    expect(await introspect(payments, downstream)).toEqual({ active: false });
    expect(await introspect(payments, issued({ txn: 'chain-2' }))).toMatchObject({ active: true });
  });

  it('is refused to every client but the one the token was issued to', async () => {
    for (const clientId of [payments, gateway, operator]) expect(await reasonOf(revoke(clientId, issued()))).toBe('CLIENT_NOT_ALLOWED');
    expect((await issuer.store.head()).n).toBe(0);
  });

  it('succeeds without doing anything for a token that is unknown, foreign or dead', async () => {
    for (const token of ['nonsense', expired(), issued({ iss: 'https://evil.test' })]) expect(await revoke(orders, token)).toBeUndefined();
    expect((await issuer.store.head()).n).toBe(0);
  });

  it('answers a repetition as the first time, with or without a request id', async () => {
    const [first, second] = [issued(), issued()];
    const answer = await revoke(orders, first);
    expect(await revoke(orders, first)).toEqual(answer);
    const named = await revoke(orders, second, { request_id: 'r1' });
    expect(await revoke(orders, second, { request_id: 'r1' })).toEqual(named);
    expect((await issuer.store.head()).n).toBe(2);
  });

  it('finds the token whatever the hint says', async () => {
    for (const hint of ['access_token', 'refresh_token', 'saml2_bearer']) {
      const token = issued({ jti: `j-${hint}` });
      const question = () => introspectRequest({ ...authenticate(orders, issuer.now), token, token_type_hint: hint });
      expect(await introspectToken(question(), issuer)).toMatchObject({ active: true });
      await revoke(orders, token, { token_type_hint: hint });
      expect(await introspectToken(question(), issuer)).toEqual({ active: false });
    }
  });

  it('T-33 needs a client that authenticates', async () => {
    for (const client_id of ['', orders]) {
      expect(await reasonOf(revokeToken(revokeRequest({ client_id, token: issued() }), issuer))).toBe('CLIENT_AUTHENTICATION_FAILED');
    }
    expect((await issuer.store.head()).n).toBe(0);
  });

  it('is open to a suspended client', async () => {
    await issuer.revocations.append({ targets: [{ kind: 'client', value: orders }], requestedBy: operator, suspend: orders });
    expect(await revoke(orders, issued())).toMatchObject({ n: 2 });
  });
});
