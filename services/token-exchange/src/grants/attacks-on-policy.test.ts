import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { exportJwk, generateSigningKey, type ServiceTokenClaims, signServiceToken } from '@tokenmesh/token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkShape } from '../config/config-schema.ts';
import {
  authenticate,
  createTestIssuer,
  exchangeRequest,
  gateway,
  grants,
  issuerUrl,
  newId,
  operator,
  orders,
  own,
  payments,
  reasonOf,
  type TestIssuer,
} from '../testing.ts';
import { clientCredentialsGrant, exchangeToken, tokenExchangeGrant } from './exchange-token.ts';
import { createPolicy, type Grant } from './policy.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createTestIssuer();
});
afterAll(() => issuer.close());

function subjectToken(claims: Partial<ServiceTokenClaims>): string {
  const iat = Math.floor(issuer.now() / 1000);
  const usual = { iss: issuerUrl, sub: 'spiffe://shop.test/user', aud: orders, iat, exp: iat + 300, jti: newId(), client_id: gateway };
  return signServiceToken({ ...usual, scope: 'orders.write', txn: newId(), rn: 0, ...claims }, issuer.keys.token.signing);
}

function request(client: string, audience: string, scope: string, subject_token?: string) {
  return exchangeRequest({
    ...authenticate(client, issuer.now),
    ...{ audience, scope, grant_type: subject_token ? tokenExchangeGrant : clientCredentialsGrant },
    ...(subject_token && { subject_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' }),
  });
}

describe('what a token says of itself (T-36)', () => {
  it('gives nothing: the policy of now decides, not the scope or the actors that were issued once', async () => {
    const wide = subjectToken({ scope: 'orders.write payments.refund admin.revoke' });
    expect(await reasonOf(exchangeToken(request(orders, payments, 'payments.refund', wide), issuer))).toBe('SCOPE_REFUSED');
    const none: readonly Grant[] = [];
    const policy = createPolicy({ grants: none, ownAudience: own, lifeSeconds: 300 });
    const issued = await exchangeToken(request(gateway, orders, ''), issuer);
    const again = request(orders, payments, '', issued.response.access_token);
    expect(await reasonOf(exchangeToken(again, { ...issuer, policy }))).toBe('TARGET_REFUSED');
  });
});

describe('what a client holds and hands back (T-36)', () => {
  const opaque = 'https://tokenmesh.dev/token-type/opaque';
  const under = (change: (grant: Grant) => Grant): TestIssuer => ({
    ...issuer,
    policy: createPolicy({
      grants: grants.map((grant) => change({ ...grant, refresh: grant.to !== own })),
      ownAudience: own,
      lifeSeconds: 300,
    }),
  });
  const asIssued = (grant: Grant) => grant;
  const refresh = (refresh_token: string, others = {}) =>
    exchangeRequest({ ...authenticate(gateway, issuer.now), grant_type: 'refresh_token', refresh_token, ...others });

  it.each<[string, (grant: Grant) => Grant, string]>([
    ['the scope', (grant) => ({ ...grant, scopes: ['orders.read'], delegation: false }), 'orders.read'],
    ['all of the scope', (grant) => ({ ...grant, scopes: ['another'], delegation: false }), 'SCOPE_REFUSED'],
    ['the refresh', (grant) => ({ ...grant, refresh: false }), 'GRANT_INVALID'],
    ['the target', (grant) => ({ ...grant, to: payments }), 'TARGET_REFUSED'],
    ['tokens that are not bound', (grant) => ({ ...grant, binding: 'dpop' }), 'PROOF_INVALID'],
    ['a life of minutes', (grant) => ({ ...grant, maxLifeSeconds: 7 }), '7 s'],
    ['tokens that can be read', (grant) => ({ ...grant, format: 'opaque' }), 'tm_'],
  ])('a refresh token brings back none of what was taken: %s', async (_, change, expected) => {
    const { response } = await exchangeToken(request(gateway, orders, ''), under(asIssued));
    const then = await exchangeToken(refresh(response.refresh_token), under(change)).catch((error: unknown) => error);
    if (then instanceof Error) return expect(then).toMatchObject({ reason: expected });
    const { response: next } = then as Awaited<ReturnType<typeof exchangeToken>>; // what is no error is the answer
    expect([next.scope, `${next.expires_in} s`, next.access_token.slice(0, 3)]).toContain(expected);
  });

  it('a refresh token goes on for the one scope, audience and form that its client asks for within its grant, and for no other', async () => {
    const at = under(asIssued);
    const narrow = await exchangeToken(request(gateway, orders, 'orders.read'), at);
    for (const [others, reason] of [
      [{ scope: 'orders.read orders.write' }, 'SCOPE_REFUSED'],
      [{ audience: payments }, 'TARGET_REFUSED'],
      [{ resource: payments }, 'TARGET_REFUSED'],
      [{ subject_token: narrow.response.access_token, subject_token_type: opaque }, 'REQUEST_INVALID'],
      [{ actor_token: narrow.response.access_token, actor_token_type: opaque }, 'REQUEST_INVALID'],
      [{ requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'REQUEST_INVALID'],
    ] as const) {
      expect([others, await reasonOf(exchangeToken(refresh(narrow.response.refresh_token, others), at))]).toEqual([others, reason]);
    }
    expect((await exchangeToken(refresh(narrow.response.refresh_token), at)).claims).toMatchObject({ scope: 'orders.read', aud: orders });
  });

  it.each<[string, (grant: Grant) => Grant, string]>([
    ['the delegation', (grant) => ({ ...grant, delegation: false }), 'DELEGATION_NOT_ALLOWED'],
    ['the scope of delegates', (grant) => ({ ...grant, delegation: { scopes: ['another'] } }), 'SCOPE_REFUSED'],
    ['the target', (grant) => ({ ...grant, to: gateway }), 'TARGET_REFUSED'],
  ])('an opaque handle opens none of what was taken since: %s', async (_, change, reason) => {
    const asked = exchangeRequest({ ...request(gateway, orders, ''), requested_token_type: opaque });
    const { response } = await exchangeToken(asked, under(asIssued));
    const onBehalf = () => ({ ...request(orders, payments, '', response.access_token), subject_token_type: opaque });
    expect((await exchangeToken(onBehalf(), under(asIssued))).claims.scope).toBe('payments.charge');
    expect(await reasonOf(exchangeToken(onBehalf(), under(change)))).toBe(reason);
  });

  it('an actor, a chain or a binding that a client writes into its request is nobody’s', async () => {
    const bound = subjectToken({ cnf: { jkt: 'A'.repeat(43) } });
    const others = { act: { sub: operator }, may_act: { sub: orders }, txn: 'mine', rn: 99, sid: 'mine', cnf: { jkt: 'A'.repeat(43) } };
    const written = { ...request(orders, payments, '', subjectToken({ txn: 'chain' })), ...others };
    expect((await exchangeToken(written, issuer)).claims).toMatchObject({ act: { sub: orders }, txn: 'chain', rn: 0 });
    const { claims } = await exchangeToken({ ...request(gateway, orders, ''), ...others }, issuer);
    expect([claims.act, claims.may_act, claims.cnf, claims.sid, claims.rn]).toEqual([undefined, undefined, undefined, undefined, 0]);
    expect(await reasonOf(exchangeToken({ ...request(orders, payments, '', bound), ...others }, issuer))).toBe('SUBJECT_TOKEN_INVALID');
  });
});

describe('an address in a request (T-34)', () => {
  it('is never asked, whatever parameter, claim or header it stands in', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/keys`; // true: it listens on a port
    const now = Math.floor(issuer.now() / 1000);
    const jws = (header: object, claims: object) =>
      `${[
        { alg: 'ES256', kid: url, ...header },
        { iat: now, exp: now + 30, jti: newId(), ...claims },
      ]
        .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .join('.')}.${'A'.repeat(86)}`;
    const headers = [{}, { jku: url }, { x5u: url }, { jku: url, kid: orders }];
    const requests = headers.flatMap((header) => [
      request(gateway, url, ''),
      exchangeRequest({ ...request(gateway, '', ''), resource: url }),
      request(orders, payments, '', jws({ typ: 'at+jwt', ...header }, { iss: url, sub: url, aud: orders, jwks_uri: url })),
      { ...request(gateway, orders, ''), client_id: url },
      {
        ...request(gateway, orders, ''),
        client_assertion: jws({ typ: 'client-authentication+jwt', ...header }, { iss: gateway, sub: gateway, aud: issuerUrl }),
      },
      { ...request(gateway, orders, ''), client_assertion: jws(header, { iss: url, sub: url, aud: issuerUrl }), client_id: '' },
      { ...request(gateway, orders, ''), request_uri: url, jwks_uri: url, requested_token_type: url },
      { ...request(gateway, orders, ''), grant_type: url },
    ]);
    try {
      for (const asked of requests) await reasonOf(exchangeToken(asked, issuer));
      expect(connections).toBe(0);
    } finally {
      server.close();
      await once(server, 'close');
    }
  });
});

/** Another spelling of an identity that somebody could take for the same. */
const spellings = [
  'spiffe://shop.test/Orders',
  'SPIFFE://shop.test/orders',
  'spiffe://SHOP.test/orders',
  'spiffe://shop.test/orders/',
  'spiffe://shop.test//orders',
  'spiffe://shop.test/./orders',
  'spiffe://shop.test/x/../orders',
  'spiffe://shop.test/%6Frders',
  'spiffe://shop.test/orders ',
  ' spiffe://shop.test/orders',
  'spiffe://shop.test/orders\t',
  'spiffe://shop.test/orders\u0000',
  'spiffe://shop.test/оrders', // Cyrillic о
  'spiffe://shop.test/ｏrders', // full width
  'spiffe://shop.test/orders\u200b',
  'spiffe://shop.test:443/orders',
  'spiffe://user@shop.test/orders',
  'spiffe://shop.test/orders?x',
  'spiffe://shop.test/orders#x',
];

describe('another spelling of a name (T-30)', () => {
  const document = (id: string) => ({
    trust_domain: 'shop.test',
    tls: { cert: 'c', key: 'k' },
    store: { sqlite: 's' },
    workloads: [{ id, jwks: { keys: [exportJwk(generateSigningKey())] } }],
    audiences: [{ id, scopes: ['a'] }],
    grants: [{ from: id, to: id, scopes: ['a'] }],
  });

  it('of an identity that is right is taken', () => {
    expect(checkShape(document(orders)).problems).toEqual([]);
  });

  // a different path is a different identity, which is allowed to be; all others are no identities at all
  it.each(spellings.slice(1))('%j is refused wherever an identity stands in the configuration', (id) => {
    const { problems } = checkShape(document(id));
    expect(problems.map(({ path }) => path.join('.')).sort()).toEqual(['audiences.0.id', 'grants.0.from', 'grants.0.to', 'workloads.0.id']);
  });

  it.each(spellings)('%j is no target that a grant opens, and no client that a key proves', async (id) => {
    expect(await reasonOf(exchangeToken(request(gateway, id, ''), issuer))).toBe('TARGET_REFUSED');
    expect(await reasonOf(exchangeToken({ ...request(orders, payments, ''), client_id: id }, issuer))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it.each(['a b', 'a\t', 'a"', 'a\\', 'ä', '', 'a\u200b', 'a\n'])('scope %j is refused in the configuration', (scope) => {
    const { problems } = checkShape({ ...document(orders), audiences: [{ id: orders, scopes: [scope] }] });
    expect(problems.map(({ path }) => path.join('.'))).toEqual(['audiences.0.scopes.0']);
  });
});
