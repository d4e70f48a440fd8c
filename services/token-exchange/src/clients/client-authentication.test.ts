import { Metadata } from '@grpc/grpc-js';
import {
  createDpopNonces,
  exportJwk,
  generateSigningKey,
  nonceWindowMs,
  signClientAssertion,
  signDpopProof,
  verifyServiceToken,
} from '@tokenmesh/token';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exchangeToken } from '../grants/exchange-token.ts';
import type { Issuer } from '../grants/issuer.ts';
import { createPolicy } from '../grants/policy.ts';
import {
  authenticate,
  createTestIssuer,
  encryption,
  exchangeRequest,
  gateway,
  grants,
  issuerUrl,
  keyOf,
  newId,
  orders,
  own,
  payments,
  reasonOf,
  type TestIssuer,
  workloads,
} from '../testing.ts';
import { authenticationMethods, jwtBearerAssertion, withClient } from './client-authentication.ts';
import { type ClientEvidence, evidenceOf, readClientCertificate } from './client-evidence.ts';
import { hashClientSecret, matchesClientSecret } from './client-secret.ts';
import { createFederations, type Federation } from './federation.ts';
import { createTestAuthority } from './test-certificate.ts';

const clusterIssuer = 'https://kubernetes.default.svc.cluster.local';
const audience = issuerUrl;
const clusterKey = generateSigningKey('RS256', 'cluster');
const trustDomainKey = generateSigningKey('ES256', 'bundle');
const authority = createTestAuthority();
const secret = 'correct horse battery staple';
const htu = 'https://token-exchange.shop.test/tokenmesh.v1.TokenExchange/ExchangeToken';

/** As a cluster publishes them, and as SPIFFE bundles do: without `alg`. */
const clusterJwks = JSON.stringify({ keys: [exportJwk(clusterKey)] });
const { alg: _alg, ...bundleKey } = exportJwk(trustDomainKey);
const bundleJwks = JSON.stringify({ keys: [{ ...bundleKey, use: 'jwt-svid' }] });

const federationDefaults = { audience, allowOtherAudiences: false, algorithms: ['ES256', 'EdDSA', 'RS256'], maxLifeSeconds: 3600 } as const;
const cluster: Federation = {
  ...federationDefaults,
  issuer: clusterIssuer,
  keys: { jwks: clusterJwks },
  workloads: [
    {
      id: orders,
      claims: { sub: 'system:serviceaccount:shop:orders', 'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'orders' } } },
    },
    { id: payments, claims: { sub: 'system:serviceaccount:shop:payments' } },
    { id: gateway, claims: { sub: 'system:serviceaccount:shop:both' } },
    { id: orders, claims: { 'kubernetes.io': { serviceaccount: { name: 'both' } } } },
  ],
};
const trustDomain: Federation = { ...federationDefaults, keys: { jwks: bundleJwks }, workloads: 'spiffe' };

let testIssuer: TestIssuer;
let issuer: Issuer;
const seconds = () => Math.floor(testIssuer.now() / 1000);

beforeEach(async () => {
  testIssuer = await createTestIssuer();
  const registered = new Map(workloads);
  registered.set(orders, {
    id: orders,
    keys: workloads.get(orders)?.keys ?? new Map(),
    tlsClientAuth: true,
    clientSecretScrypt: await hashClientSecret(secret),
  });
  issuer = {
    ...testIssuer,
    config: { ...testIssuer.config, workloads: registered, development: true },
    federations: createFederations([cluster, trustDomain], testIssuer.now),
  };
});
afterEach(() => testIssuer.close());

const nobody = { client_id: '', client_assertion_type: '', client_assertion: '', client_secret: '' };
const withJwt = (jwt: string) => ({ ...nobody, client_assertion_type: jwtBearerAssertion, client_assertion: jwt });
const idOf = (parameters: Partial<typeof nobody>, evidence: ClientEvidence = {}, at = issuer) =>
  withClient({ ...nobody, ...parameters }, at, evidence, async (_transaction, client) => `${client.id} by ${client.authenticatedBy}`);
const certificateNaming = (...uris: string[]): ClientEvidence => ({ certificate: certificateOf(authority.issue(uris)) });

function certificateOf({ cert }: { readonly cert: Buffer }) {
  return readClientCertificate(Buffer.from(cert.toString().replace(/-----[^-]+-----|\n/g, ''), 'base64'));
}

/** As the API server writes them for a projected volume with an audience of its own. */
async function serviceAccountToken(
  name = 'orders',
  changes: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const iat = seconds();
  const claims = {
    iss: clusterIssuer,
    aud: [audience],
    exp: iat + 3600,
    iat,
    nbf: iat,
    jti: 'a8f5f167-f44f-4964-9dd6-3ac9a3ee1b3c',
    sub: `system:serviceaccount:shop:${name}`,
    'kubernetes.io': {
      namespace: 'shop',
      node: { name: 'n1', uid: '1' },
      pod: { name: `${name}-0`, uid: '2' },
      serviceaccount: { name, uid: '3' },
    },
    ...changes,
  };
  return await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'cluster', ...header }).sign(clusterKey.privateKey);
}

async function svid(changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}, key = trustDomainKey): Promise<string> {
  const claims = { sub: orders, aud: [audience], exp: seconds() + 300, iat: seconds(), ...changes };
  return await new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: 'bundle', typ: 'JWT', ...header }).sign(key.privateKey);
}

describe('tls_client_auth', () => {
  it('knows a workload by the only URI of its certificate', async () => {
    expect(await idOf({ client_id: orders }, certificateNaming(orders))).toBe(`${orders} by tls_client_auth`);
  });

  it.each([
    ['names another workload', [payments]],
    ['names two', [orders, payments]],
    ['names the same twice', [orders, orders]],
    ['names none', []],
    ['names it in another case', [orders.toUpperCase()]],
    ['hides a second name behind a comma', [`${orders}, URI:${payments}`]],
  ])('refuses a certificate that %s', async (_what, uris) => {
    expect(await reasonOf(idOf({ client_id: orders }, certificateNaming(...uris)))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('refuses the certificate of an authority', async () => {
    const evidence = { certificate: certificateOf(authority.issue([orders], { isAuthority: true })) };
    expect(await reasonOf(idOf({ client_id: orders }, evidence))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('refuses a certificate whose host name looks like another URI', async () => {
    const evidence = { certificate: certificateOf(authority.issue([], { dnsName: `a, URI:${orders}, DNS:b` })) };
    expect(await reasonOf(idOf({ client_id: orders }, evidence))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('refuses a workload that is not registered for it, one that is unknown, and a request that names none', async () => {
    expect(await reasonOf(idOf({ client_id: payments }, certificateNaming(payments)))).toBe('CLIENT_AUTHENTICATION_FAILED');
    expect(await reasonOf(idOf({ client_id: `${orders}s` }, certificateNaming(`${orders}s`)))).toBe('CLIENT_AUTHENTICATION_FAILED');
    expect(await reasonOf(idOf({}, certificateNaming(orders)))).toBe('CLIENT_AUTHENTICATION_FAILED');
    expect(await reasonOf(idOf({ client_id: orders }))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('leaves the decision to an assertion that comes with the certificate', async () => {
    const proof = authenticate(orders, testIssuer.now);
    expect(await idOf(proof, certificateNaming(payments))).toBe(`${orders} by private_key_jwt`);
    const forged = signClientAssertion({ clientId: orders, audience, key: keyOf(payments), now: testIssuer.now, newId });
    expect(await reasonOf(idOf(withJwt(forged), certificateNaming(orders)))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });
});

describe('federated JWT', () => {
  it('maps the service account of a Kubernetes pod to its workload, each time that it is presented', async () => {
    const token = await serviceAccountToken();
    expect(await idOf(withJwt(token))).toBe(`${orders} by federated_jwt`);
    expect(await idOf({ ...withJwt(token), client_id: orders })).toBe(`${orders} by federated_jwt`);
  });

  it('takes the workload that a JWT-SVID names, without an iss', async () => {
    expect(await idOf(withJwt(await svid()))).toBe(`${orders} by federated_jwt`);
    expect(await idOf(withJwt(await svid({ aud: audience, iss: 'https://spire.shop.test' }, { typ: 'JOSE' })))).toBe(
      `${orders} by federated_jwt`,
    );
  });

  it.each<[string, Record<string, unknown>]>([
    ['another namespace', { 'kubernetes.io': { namespace: 'other', serviceaccount: { name: 'orders' } } }],
    ['claims that are not nested', { 'kubernetes.io': 'shop' }],
    ['a claim of another type', { 'kubernetes.io': { namespace: ['shop'], serviceaccount: { name: 'orders' } } }],
    ['another service account', { sub: 'system:serviceaccount:shop:ordersx' }],
    ['T-10: a subject that is a list', { sub: ['system:serviceaccount:shop:orders'] }],
    ['no subject', { sub: undefined }],
    ['no end', { exp: undefined }],
    ['a longer life than the federation allows', { exp: Math.floor(Date.UTC(2026, 5, 1) / 1000) + 3601 }],
    ['an iat in the future', { iat: Math.floor(Date.UTC(2026, 5, 1) / 1000) + 60 }],
    ['T-19: another audience', { aud: ['https://other.shop.test'] }],
    ['T-19: the address of the method as audience', { aud: htu }],
    ['T-19: another audience beside', { aud: [audience, 'https://other.shop.test'] }],
    ['T-19: no audience', { aud: undefined }],
    ['T-10: a list of issuers', { iss: [clusterIssuer] }],
  ])('refuses a token with %s', async (_what, changes) => {
    expect(await reasonOf(idOf(withJwt(await serviceAccountToken('orders', changes))))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('refuses a token that rules map to two workloads', async () => {
    expect(await reasonOf(idOf(withJwt(await serviceAccountToken('both'))))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('ends with the token: 5 s past its exp, and not later', async () => {
    const token = await serviceAccountToken();
    testIssuer.clock.nowMs += 3_604_000;
    expect(await idOf(withJwt(token))).toBe(`${orders} by federated_jwt`);
    testIssuer.clock.nowMs += 1000;
    expect(await reasonOf(idOf(withJwt(token)))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('takes other audiences beside its own where the federation says so', async () => {
    const federations = createFederations([{ ...cluster, allowOtherAudiences: true }], testIssuer.now);
    const token = await serviceAccountToken('orders', { aud: ['https://other.shop.test', audience] });
    expect(await idOf(withJwt(token), {}, { ...issuer, federations })).toBe(`${orders} by federated_jwt`);
    const foreign = await serviceAccountToken('orders', { aud: ['https://other.shop.test'] });
    expect(await reasonOf(idOf(withJwt(foreign), {}, { ...issuer, federations }))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it.each(['jwk', 'jku', 'x5u', 'x5c'])('T-05: refuses a token whose header brings %s', async (name) => {
    const attacker = generateSigningKey('RS256', 'cluster');
    const value = { jwk: exportJwk(attacker), jku: 'https://attacker.test/jwks', x5u: 'https://attacker.test/x5u', x5c: ['MIIB'] }[name];
    expect(await reasonOf(idOf(withJwt(await serviceAccountToken('orders', {}, { [name]: value }))))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('T-01, T-03: refuses every algorithm but the one that its key is bound to', async () => {
    const hmac = await new SignJWT({ iss: clusterIssuer, aud: audience, sub: 'system:serviceaccount:shop:orders' })
      .setExpirationTime(seconds() + 60)
      .setProtectedHeader({ alg: 'HS256', kid: 'cluster' })
      .sign(Buffer.from(clusterJwks));
    expect(await reasonOf(idOf(withJwt(hmac)))).toBe('CLIENT_AUTHENTICATION_FAILED');
    expect(await reasonOf(idOf(withJwt(await serviceAccountToken('orders', {}, { alg: 'PS256' }))))).toBe('CLIENT_AUTHENTICATION_FAILED');
    const [, payload] = (await serviceAccountToken()).split('.');
    const none = `${Buffer.from('{"alg":"none","kid":"cluster"}').toString('base64url')}.${payload}.AA`;
    expect(await reasonOf(idOf(withJwt(none)))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('refuses another key, a key that is unknown, and a token without kid', async () => {
    const other = generateSigningKey('ES256', 'bundle');
    expect(await reasonOf(idOf(withJwt(await svid({}, {}, other))))).toBe('CLIENT_AUTHENTICATION_FAILED');
    expect(await reasonOf(idOf(withJwt(await svid({}, { kid: 'other' }))))).toBe('CLIENT_AUTHENTICATION_FAILED');
    expect(await reasonOf(idOf(withJwt(await svid({}, { kid: undefined }))))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('refuses a JWT-SVID for a workload that is not registered, and one that a cluster signed', async () => {
    expect(await reasonOf(idOf(withJwt(await svid({ sub: 'spiffe://shop.test/unknown' }))))).toBe('CLIENT_AUTHENTICATION_FAILED');
    const forged = await serviceAccountToken('orders', { iss: undefined, sub: orders });
    expect(await reasonOf(idOf(withJwt(forged)))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('refuses a service token in place of a JWT', async () => {
    expect(await reasonOf(idOf(withJwt(await svid({}, { typ: 'at+jwt' }))))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('refuses a token of another workload than client_id names', async () => {
    expect(await reasonOf(idOf({ ...withJwt(await serviceAccountToken()), client_id: payments }))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('refuses what is too long before it is parsed', async () => {
    expect(await reasonOf(idOf(withJwt(await svid({ filler: 'a'.repeat(8000) }))))).toBe('CLIENT_AUTHENTICATION_FAILED');
    expect(await reasonOf(idOf(withJwt('.'.repeat(100_000))))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });
});

describe('client_secret', () => {
  it('is taken in development alone', async () => {
    expect(await idOf({ client_id: orders, client_secret: secret })).toBe(`${orders} by client_secret_post`);
    const inProduction = { ...issuer, config: { ...issuer.config, development: false } };
    expect(await reasonOf(idOf({ client_id: orders, client_secret: secret }, {}, inProduction))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it.each([
    ['a wrong secret', orders, `${secret}r`],
    ['the hash itself', orders, 'hash'],
    ['a workload without a secret', payments, secret],
    ['an unknown workload', 'spiffe://shop.test/unknown', secret],
    ['no workload', '', secret],
  ])('refuses %s', async (_what, client_id, given) => {
    const client_secret = given === 'hash' ? (issuer.config.workloads.get(orders)?.clientSecretScrypt ?? '') : given;
    expect(await reasonOf(idOf({ client_id, client_secret }))).toBe('CLIENT_AUTHENTICATION_FAILED');
  });

  it('is refused beside an assertion', async () => {
    expect(await reasonOf(idOf({ ...authenticate(orders, testIssuer.now), client_secret: secret }))).toBe('REQUEST_INVALID');
  });

  it('is hashed with a salt of its own, and nothing matches what is no hash', async () => {
    const hashes = await Promise.all([hashClientSecret(secret), hashClientSecret(secret)]);
    expect(new Set(hashes).size).toBe(2);
    expect(await matchesClientSecret(secret, 'scrypt')).toBe(false);
    await expect(hashClientSecret('a'.repeat(15))).rejects.toThrow(TypeError);
    await expect(hashClientSecret('a'.repeat(16))).resolves.toMatch(/^\$scrypt\$/);
  });
});

describe('evidenceOf', () => {
  it('takes one DPoP proof, and refuses two', async () => {
    const metadata = new Metadata();
    const call = { getAuthContext: () => ({}), metadata, getPath: () => '/a.B/C' };
    expect(evidenceOf(call, 'shop.test:7443')).toEqual({});
    metadata.add('dpop', 'one');
    expect(evidenceOf(call, 'shop.test:7443')).toEqual({ dpop: { proof: 'one', htu: 'https://shop.test:7443/a.B/C' } });
    metadata.add('dpop', 'two');
    expect(await reasonOf(Promise.resolve().then(() => evidenceOf(call, 'shop.test:7443')))).toBe('PROOF_INVALID');
  });

  it('reads the same of a certificate each time, and of no other certificate', () => {
    const [one, renewed, other] = [[gateway], [gateway], [orders]].map((uris) => authority.issue(uris));
    if (!one || !renewed || !other) throw new Error('unreachable: there are three');
    const first = certificateOf(one);
    expect(certificateOf(renewed)).toMatchObject({ uri: gateway, thumbprint: expect.not.stringMatching(first.thumbprint) });
    expect(certificateOf(other).uri).toBe(orders);
    expect(certificateOf(one)).toEqual(first);
    expect(first.uri).toBe(gateway);
  });
});

describe('every method', () => {
  const singleUse: Record<string, () => Promise<Partial<typeof nobody>>> = {
    private_key_jwt: async () => authenticate(orders, testIssuer.now),
    'federated JWT for one request': async () => withJwt(await svid({ exp: seconds() + 60, jti: newId() })),
  };

  it.each(Object.entries(singleUse))('T-17: %s is good for one of 20 simultaneous requests', async (_method, prove) => {
    const parameters = await prove();
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => idOf(parameters)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('T-17: a JWT of 61 s is no assertion for one request', async () => {
    const parameters = withJwt(await svid({ exp: seconds() + 61, jti: newId() }));
    expect(await idOf(parameters)).toBe(await idOf(parameters));
  });

  it.each(Object.entries(singleUse))('T-18: %s gives nothing when the record fails', async (_method, prove) => {
    const store = {
      ...issuer.store,
      transaction: (work: Parameters<Issuer['store']['transaction']>[0]) =>
        testIssuer.store.transaction((transaction) =>
          work({
            ...transaction,
            useAssertionId: async () => {
              throw new Error('disk full');
            },
          }),
        ),
    } as Issuer['store']; // true: the same method, less general
    await expect(idOf(await prove(), {}, { ...issuer, store })).rejects.toThrow('disk full');
  });

  it('uses up the id of a workload apart from that of whoever vouches for it', async () => {
    const jti = newId();
    expect(await idOf(withJwt(await svid({ exp: seconds() + 60, jti })))).toBe(`${orders} by federated_jwt`);
    const assertion = signClientAssertion({ clientId: orders, audience, key: keyOf(orders), now: testIssuer.now, newId: () => jti });
    expect(await idOf(withJwt(assertion))).toBe(`${orders} by private_key_jwt`);
  });

  it('is announced only where it is configured', () => {
    expect(authenticationMethods(issuer.config)).toEqual(['private_key_jwt', 'tls_client_auth', 'client_secret_post']);
    expect(authenticationMethods({ ...issuer.config, development: false })).toEqual(['private_key_jwt', 'tls_client_auth']);
    expect(authenticationMethods(testIssuer.config)).toEqual(['private_key_jwt']);
  });
});

describe('what is issued', () => {
  const ask = (parameters: Partial<typeof nobody>, evidence: ClientEvidence = {}, at = issuer) =>
    exchangeToken(exchangeRequest({ grant_type: 'client_credentials', audience: payments, ...parameters }), at, evidence);
  const bound = (binding: 'certificate' | 'dpop' | 'none'): Issuer => ({
    ...issuer,
    policy: createPolicy({ grants: grants.map((grant) => ({ ...grant, binding })), ownAudience: own, lifeSeconds: 300 }),
  });
  const key = generateSigningKey();
  const dpop = (changes: Partial<Parameters<typeof signDpopProof>[0]> = {}) => ({
    dpop: { htu, proof: signDpopProof({ key, htm: 'POST', htu, now: testIssuer.now, newId, ...changes }) },
  });

  it('is bound to the certificate that a workload authenticated with', async () => {
    const certificate = authority.issue([orders]);
    const { claims, response } = await ask({ client_id: orders }, { certificate: certificateOf(certificate) });
    expect(claims.cnf).toEqual({ 'x5t#S256': certificate.thumbprint });
    expect(response.token_type).toBe('Bearer');
    const verified = await verifyServiceToken(response.access_token, {
      issuer: issuerUrl,
      audience: payments,
      keys: issuer.keys.token,
      now: issuer.now,
    });
    expect(verified.claims.cnf).toEqual(claims.cnf);
  });

  it('is not bound when the grant says so, or when the certificate authenticated nobody', async () => {
    expect((await ask({ client_id: orders }, certificateNaming(orders), bound('none'))).claims.cnf).toBeUndefined();
    expect((await ask(authenticate(orders, testIssuer.now), certificateNaming(orders))).claims.cnf).toBeUndefined();
  });

  it('is bound to the certificate beside an assertion when the grant asks for it, and refused without one', async () => {
    const evidence = certificateNaming(orders);
    const { claims } = await ask(authenticate(orders, testIssuer.now), evidence, bound('certificate'));
    expect(claims.cnf).toEqual({ 'x5t#S256': evidence.certificate?.thumbprint });
    expect(await reasonOf(ask(authenticate(orders, testIssuer.now), {}, bound('certificate')))).toBe('REQUEST_INVALID');
  });

  it('is bound to the key of a DPoP proof', async () => {
    const { claims, response } = await ask(authenticate(orders, testIssuer.now), dpop());
    expect(claims.cnf).toEqual({ jkt: key.kid });
    expect(response.token_type).toBe('DPoP');
  });

  it('is bound to both when both were proved', async () => {
    const evidence = { ...certificateNaming(orders), ...dpop() };
    expect((await ask({ client_id: orders }, evidence)).claims.cnf).toEqual({ 'x5t#S256': evidence.certificate?.thumbprint, jkt: key.kid });
  });

  it('is refused where the grant needs a proof and there is none', async () => {
    expect(await reasonOf(ask(authenticate(orders, testIssuer.now), {}, bound('dpop')))).toBe('PROOF_INVALID');
    expect((await ask(authenticate(orders, testIssuer.now), dpop(), bound('dpop'))).response.token_type).toBe('DPoP');
  });

  it('takes a DPoP proof once, with whatever assertion it comes', async () => {
    const evidence = dpop();
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => ask(authenticate(orders, testIssuer.now), evidence)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await reasonOf(ask(authenticate(orders, testIssuer.now), evidence))).toBe('PROOF_REPLAYED');
  });

  it('needs a proof with a nonce where nonces are wanted, and asking for it costs neither the assertion nor the proof', async () => {
    const dpopNonces = createDpopNonces(encryption.derive('DPoP nonces'), testIssuer.now);
    const asking: Issuer = { ...issuer, dpopNonces };
    const assertion = authenticate(orders, testIssuer.now);
    const withoutNonce = dpop();
    expect(await reasonOf(ask(assertion, withoutNonce, asking))).toBe('PROOF_NONCE_REQUIRED');
    expect(await reasonOf(ask(assertion, dpop({ nonce: 'a-made-up-nonce' }), asking))).toBe('PROOF_NONCE_REQUIRED');
    const nonce = dpopNonces.current();
    expect((await ask(assertion, dpop({ nonce }), asking)).claims.cnf).toEqual({ jkt: key.kid });
    expect((await ask(authenticate(orders, testIssuer.now), withoutNonce)).claims.cnf).toEqual({ jkt: key.kid });

    testIssuer.clock.nowMs += 2 * nonceWindowMs;
    expect(await reasonOf(ask(authenticate(orders, testIssuer.now), dpop({ nonce }), asking))).toBe('PROOF_NONCE_REQUIRED');
    expect((await ask(authenticate(orders, testIssuer.now), {}, asking)).claims.cnf).toBeUndefined(); // whoever proves no key needs no nonce
  });

  it('is refused with a proof for another request, or one that is too old', async () => {
    const refusal = (evidence: ClientEvidence) => reasonOf(ask(authenticate(orders, testIssuer.now), evidence));
    expect(await refusal(dpop({ htu: htu.replace('ExchangeToken', 'RevokeToken') }))).toBe('PROOF_INVALID');
    expect(await refusal(dpop({ htm: 'GET' }))).toBe('PROOF_INVALID');
    expect(await refusal(dpop({ now: () => testIssuer.now() - 66_000 }))).toBe('PROOF_INVALID');
    expect(await refusal({ dpop: { htu, proof: 'nonsense' } })).toBe('PROOF_INVALID');
  });
});
