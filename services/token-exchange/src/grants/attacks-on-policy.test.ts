import { exportJwk, generateSigningKey, type ServiceTokenClaims, signServiceToken, TokenError } from '@tokenmesh/token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkShape } from '../config/config-schema.ts';
import {
  authenticate,
  createTestIssuer,
  exchangeRequest,
  gateway,
  introspectRequest,
  issuerUrl,
  newId,
  operator,
  orders,
  own,
  payments,
  reasonOf,
  revokeRequest,
  type TestIssuer,
} from '../testing.ts';
import { clientCredentialsGrant, exchangeToken, tokenExchangeGrant } from './exchange-token.ts';
import { introspectToken } from './introspect-token.ts';
import { createPolicy, type Grant } from './policy.ts';
import { revokeToken } from './revoke-token.ts';

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

describe('the policy (T-26)', () => {
  // written out, not computed: `own` and `delegated` are all that may ever be issued; every other combination is refused
  const allowed = new Set([
    `own ${gateway} ${orders} orders.read`,
    `own ${gateway} ${orders} orders.write`,
    `own ${gateway} ${payments} payments.read`,
    `own ${orders} ${payments} payments.charge`,
    `own ${orders} ${payments} payments.refund`,
    `own ${payments} ${payments} payments.charge`,
    `own ${operator} ${own} admin.read`,
    `own ${operator} ${own} admin.revoke`,
    ...[gateway, orders, payments, operator].map((client) => `own ${client} ${own} revocation.read`),
    `delegated ${gateway} ${orders} orders.write`,
    `delegated ${orders} ${payments} payments.charge`,
    `delegated ${payments} ${payments} payments.charge`,
  ]);
  const clients = [gateway, orders, payments, operator];
  const audiences = [...clients, own, 'spiffe://shop.test/nobody'];
  const scopes = [
    'orders.read',
    'orders.write',
    'payments.read',
    'payments.charge',
    'payments.refund',
    'admin.read',
    'admin.revoke',
    'revocation.read',
    'x',
  ];

  it.each(clients)('refuses %s whatever is not granted to it, in its own name and on behalf of others', async (client) => {
    const issued: string[] = [];
    for (const audience of audiences) {
      for (const scope of scopes) {
        for (const kind of ['own', 'delegated']) {
          const subject = kind === 'delegated' ? subjectToken({ aud: client }) : undefined;
          const answer = await exchangeToken(request(client, audience, scope, subject), issuer).catch((error: unknown) => {
            if (error instanceof TokenError) return undefined;
            throw error;
          });
          if (answer) issued.push(`${kind} ${client} ${answer.claims.aud} ${answer.claims.scope}`);
        }
      }
    }
    expect(issued.sort()).toEqual([...allowed].filter((line) => line.split(' ')[1] === client).sort());
  });
});

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

describe('a request without a proof of its client (T-33)', () => {
  const unproven = { client_id: gateway, client_assertion_type: '', client_assertion: '', client_secret: '' };

  it('changes nothing in the record', async () => {
    const token = subjectToken({ aud: orders });
    const before = await issuer.store.transaction(async (transaction) => [await transaction.head(), await transaction.appliedTerms()]);
    const attempts = [
      exchangeToken(exchangeRequest({ ...unproven, grant_type: clientCredentialsGrant, audience: orders }), issuer),
      introspectToken(introspectRequest({ ...unproven, token }), issuer),
      revokeToken(revokeRequest({ ...unproven, token, cascade: true }), issuer),
    ];
    for (const attempt of attempts) expect(await reasonOf(attempt)).toBe('CLIENT_AUTHENTICATION_FAILED');
    const after = await issuer.store.transaction(async (transaction) => [await transaction.head(), await transaction.appliedTerms()]);
    expect(after).toEqual(before);
    expect(await issuer.store.listTargets(0, Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
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

describe('a limited member (T-44)', () => {
  const problemsOf = (more: string) => {
    const base =
      'trust_domain: shop.test\ntls: { cert: c, key: k }\nstore: { sqlite: s }\naudiences: [{ id: "spiffe://shop.test/orders", scopes: [a] }]\n';
    return checkShape(parse(`${base}${more}`)).problems.map(({ path }) => path.join('.'));
  };
  const longest = (length: number) => `spiffe://shop.test/${'a'.repeat(length - 'spiffe://shop.test/'.length)}`;

  it.each([
    ['limits.per_workload', 'limits: { per_workload: 100000 }', 'limits: { per_workload: 100001 }'],
    ['limits.per_workload', 'limits: { per_workload: 1 }', 'limits: { per_workload: 0 }'],
    ['limits.burst', 'limits: { burst: 1000000 }', 'limits: { burst: 1000001 }'],
    ['limits.burst', 'limits: { burst: 1 }', 'limits: { burst: 0 }'],
    ['limits.concurrency', 'limits: { concurrency: 10000 }', 'limits: { concurrency: 10001 }'],
    ['limits.concurrency', 'limits: { concurrency: 1 }', 'limits: { concurrency: 0 }'],
    ['limits.queue', 'limits: { queue: 100000 }', 'limits: { queue: 100001 }'],
    ['limits.queue', 'limits: { queue: 1 }', 'limits: { queue: 1.5 }'],
    ['revocation.stale_after', 'revocation: { stale_after: 2s }', 'revocation: { stale_after: 1999ms }'],
    ['revocation.stale_after', 'revocation: { stale_after: 60s }', 'revocation: { stale_after: 60001ms }'],
    ['tokens.life', 'tokens: { life: 1s }', 'tokens: { life: 0s }'],
    ['tokens.ceiling', 'tokens: { ceiling: 24h }', 'tokens: { ceiling: 86401s }'],
    ['workloads.0.id', `workloads: [{ id: "${longest(2048)}" }]`, `workloads: [{ id: "${longest(2049)}" }]`],
    [
      'grants.0.scopes.0',
      `grants: [{ from: "${orders}", to: "${orders}", scopes: [${'s'.repeat(128)}] }]`,
      `grants: [{ from: "${orders}", to: "${orders}", scopes: [${'s'.repeat(129)}] }]`,
    ],
  ])('%s is taken at its limit and refused one past it', (path, at, past) => {
    expect(problemsOf(at)).toEqual([]);
    expect(problemsOf(past)).toEqual([path]);
  });
});
