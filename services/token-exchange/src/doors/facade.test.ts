import type { JsonWebKey } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { createDpopNonces, type DpopNonces, nonceWindowMs } from '@tokenmesh/token';
import { createRemoteJWKSet, customFetch as joseFetch, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import { createOperations } from '../grants/operations.ts';
import { createPolicy } from '../grants/policy.ts';
import {
  authenticate,
  createTestIssuer,
  createTestLog,
  encryption,
  gateway,
  grants,
  issuerUrl,
  keyOf,
  orders,
  own,
  payments,
  type TestIssuer,
} from '../testing.ts';
import { type Facade, startFacade } from './facade.ts';

const { cert, key } = createTestCertificate();
let issuer: TestIssuer;
let facade: Facade;
let log: ReturnType<typeof createTestLog>;

beforeEach(async () => {
  const opened = await createTestIssuer();
  const withSessions = grants.map((grant) => ({ ...grant, refresh: grant.from === gateway }));
  issuer = { ...opened, policy: createPolicy({ grants: withSessions, ownAudience: own, lifeSeconds: 300 }) };
  issuer.clock.nowMs = Date.now(); // the stock clients have no other clock
  log = createTestLog();
  facade = await open();
});

function open(dpopNonces?: DpopNonces): Promise<Facade> {
  const asking = { ...issuer, ...(dpopNonces && { dpopNonces }) };
  return startFacade({
    operations: createOperations({ keys: issuer.keys, config: issuer.config, run: (work) => work(asking) }, log),
    log,
    listen: { host: '127.0.0.1', port: 0 },
    tls: { cert: Buffer.from(cert), key: Buffer.from(key) },
    url: issuerUrl,
    dpopNonces,
  });
}

afterEach(async () => {
  await facade.close();
  await issuer.close();
});

/** The stock clients' way out: whatever host they name, the façade of this test answers, over TLS that is verified. */
const toFacade = (async (input: string, init: { method?: string; headers?: unknown; body?: unknown } = {}) => {
  const url = new URL(input);
  const headers = Object.fromEntries(new Headers(init.headers as Record<string, string>));
  const body = init.body === undefined || init.body === null ? undefined : String(init.body);
  return await new Promise<Response>((resolve, reject) => {
    const options = {
      host: 'localhost',
      port: facade.port,
      path: url.pathname + url.search,
      method: init.method ?? 'GET',
      headers,
      ca: cert,
    };
    const sent = httpsRequest(options, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const status = incoming.statusCode ?? 0;
        const empty = status === 204 || status === 304;
        const flat = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as [string, string]);
        resolve(new Response(empty ? null : Buffer.concat(chunks), { status, headers: flat }));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}) as typeof fetch;

const fetchOptions = { [oauth.customFetch]: toFacade as never };

async function discover(): Promise<oauth.AuthorizationServer> {
  const response = await oauth.discoveryRequest(new URL(issuerUrl), { algorithm: 'oauth2', ...fetchOptions });
  return await oauth.processDiscoveryResponse(new URL(issuerUrl), response);
}

/** What oauth4webapi signs assertions with. */
async function clientAuth(workload: string): Promise<oauth.ClientAuth> {
  const { privateKey, kid } = keyOf(workload);
  const jwk: JsonWebKey = privateKey.export({ format: 'jwk' });
  const imported = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  return oauth.PrivateKeyJwt({ key: imported, kid });
}

async function discoverByOpenid(): Promise<openid.Configuration> {
  const { privateKey, kid } = keyOf(gateway);
  const jwk: JsonWebKey = privateKey.export({ format: 'jwk' });
  const imported = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  return await openid.discovery(new URL(issuerUrl), gateway, undefined, openid.PrivateKeyJwt({ key: imported, kid }), {
    algorithm: 'oauth2',
    [openid.customFetch]: toFacade as never,
  });
}

async function ownToken(as: oauth.AuthorizationServer, workload: string, audience: string): Promise<oauth.TokenEndpointResponse> {
  const client = { client_id: workload };
  const response = await oauth.clientCredentialsGrantRequest(as, client, await clientAuth(workload), { audience }, fetchOptions);
  return await oauth.processClientCredentialsResponse(as, client, response);
}

const post = (path: string, form: Record<string, string> | string, headers: Record<string, string> = {}) =>
  toFacade(`https://any.test${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  });

/** The parameters that a workload authenticates with, good for one request. */
function credentialOf(workload: string): Record<string, string> {
  const { client_assertion_type, client_assertion } = authenticate(workload, issuer.now);
  return { client_assertion_type, client_assertion };
}

describe('a stock OAuth client', () => {
  it('discovers the issuer, gets a token, exchanges it, introspects it and revokes it', async () => {
    const as = await discover();
    expect(as).toMatchObject({ issuer: issuerUrl, token_endpoint: `${issuerUrl}/token`, jwks_uri: `${issuerUrl}/jwks` });

    const own = await ownToken(as, gateway, orders);
    expect(own).toMatchObject({ token_type: 'bearer', issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' });
    const exchange = await oauth.genericTokenEndpointRequest(
      as,
      { client_id: orders },
      await clientAuth(orders),
      'urn:ietf:params:oauth:grant-type:token-exchange',
      {
        audience: payments,
        subject_token: own.access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      },
      fetchOptions,
    );
    const delegated = await oauth.processGenericTokenEndpointResponse(as, { client_id: orders }, exchange);

    const introspect = async () => {
      const client = { client_id: payments };
      const response = await oauth.introspectionRequest(as, client, await clientAuth(payments), delegated.access_token, fetchOptions);
      return await oauth.processIntrospectionResponse(as, client, response);
    };
    expect(await introspect()).toMatchObject({ active: true, sub: gateway, client_id: orders, aud: payments, act: { sub: orders } });
    const revocation = await oauth.revocationRequest(
      as,
      { client_id: orders },
      await clientAuth(orders),
      delegated.access_token,
      fetchOptions,
    );
    expect(await oauth.processRevocationResponse(revocation)).toBeUndefined();
    expect(await introspect()).toEqual({ active: false });
  });

  it('gets a session with DPoP-bound tokens, refreshes it and ends it', async () => {
    const as = await discover();
    const client = { client_id: gateway };
    const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'));
    const options = { ...fetchOptions, DPoP };
    const first = await oauth.processClientCredentialsResponse(
      as,
      client,
      await oauth.clientCredentialsGrantRequest(as, client, await clientAuth(gateway), { audience: orders }, options),
    );
    expect(first.token_type).toBe('dpop');
    const renew = async (token: string) => {
      const response = await oauth.refreshTokenGrantRequest(as, client, await clientAuth(gateway), token, options);
      return await oauth.processRefreshTokenResponse(as, client, response);
    };
    const second = await renew(first.refresh_token ?? '');
    expect(second.token_type).toBe('dpop');
    expect(second.refresh_token).not.toBe(first.refresh_token);

    const ended = await oauth.revocationRequest(as, client, await clientAuth(gateway), second.refresh_token ?? '', fetchOptions);
    await oauth.processRevocationResponse(ended);
    await expect(renew(second.refresh_token ?? '')).rejects.toMatchObject({ error: 'invalid_grant' });
    const asked = await oauth.introspectionRequest(as, client, await clientAuth(gateway), second.access_token, fetchOptions);
    expect(await oauth.processIntrospectionResponse(as, client, asked)).toEqual({ active: false });
  });

  it('openid-client gets a token that a stock JWT verifier takes', async () => {
    const config = await discoverByOpenid();
    const { access_token } = await openid.clientCredentialsGrant(config, { audience: orders });
    const keys = createRemoteJWKSet(new URL(`${issuerUrl}/jwks`), { [joseFetch]: toFacade as never });
    const { payload } = await jwtVerify(access_token, keys, { issuer: issuerUrl, audience: orders, typ: 'at+jwt', algorithms: ['ES256'] });
    expect(payload).toMatchObject({ sub: gateway, client_id: gateway });
  });

  describe('of which DPoP nonces are wanted', () => {
    let nonceNowMs: number;
    beforeEach(async () => {
      await facade.close();
      nonceNowMs = Date.now();
      facade = await open(createDpopNonces(encryption.derive('DPoP nonces'), () => nonceNowMs));
    });

    /** For what calls were refused, in order. */
    const refusals = () => log.entries.flatMap(({ event, reason }) => (event === 'call.refused' ? [reason] : []));

    it('is told the nonce with the refusal, and comes again with it', async () => {
      const as = await discover();
      const client = { client_id: gateway };
      const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'));
      const ask = async () =>
        oauth.clientCredentialsGrantRequest(as, client, await clientAuth(gateway), { audience: orders }, { ...fetchOptions, DPoP });
      const refused = await ask();
      expect([refused.status, refused.headers.get('dpop-nonce')]).toEqual([400, expect.stringMatching(/^[A-Za-z0-9_-]{22}$/)]);
      const wanted = await oauth.processClientCredentialsResponse(as, client, refused).catch((error: unknown) => error);
      expect(wanted).toMatchObject({ error: 'use_dpop_nonce' });
      expect(oauth.isDPoPNonceError(wanted)).toBe(true);
      const token = await oauth.processClientCredentialsResponse(as, client, await ask());
      expect(token.token_type).toBe('dpop');
    });

    it('openid-client comes again by itself, once until the nonce is too old', async () => {
      const config = await discoverByOpenid();
      const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'));
      const ask = () => openid.clientCredentialsGrant(config, { audience: orders }, { DPoP });
      await ask();
      await ask();
      expect(refusals()).toEqual(['PROOF_NONCE_REQUIRED']);
      nonceNowMs += nonceWindowMs;
      await ask(); // accepted, and answered with the nonce of this window
      nonceNowMs += nonceWindowMs;
      await ask();
      expect(refusals()).toEqual(['PROOF_NONCE_REQUIRED']);
      nonceNowMs += 2 * nonceWindowMs;
      await ask();
      expect(refusals()).toEqual(['PROOF_NONCE_REQUIRED', 'PROOF_NONCE_REQUIRED']);
    });

    it('is not told one when it brings no proof', async () => {
      const response = await post('/token', { grant_type: 'client_credentials', audience: orders, ...credentialOf(gateway) });
      expect([response.status, response.headers.get('dpop-nonce')]).toEqual([200, null]);
    });
  });

  it('is told an error of RFC 6749 that it understands', async () => {
    const as = await discover();
    await expect(ownToken(as, gateway, 'spiffe://shop.test/nobody')).rejects.toMatchObject({ error: 'invalid_target', status: 400 });
  });
});

describe('POST /token', () => {
  const tokenForm = (): Record<string, string> => ({ grant_type: 'client_credentials', audience: orders, ...credentialOf(gateway) });

  it('answers with what may not be stored', async () => {
    const response = await post('/token', tokenForm());
    expect(response.status).toBe(200);
    expect([response.headers.get('cache-control'), response.headers.get('pragma')]).toEqual(['no-store', 'no-cache']);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  });

  it.each([
    ['an unknown grant', () => ({ ...tokenForm(), grant_type: 'password' }), 400, 'unsupported_grant_type'],
    ['no grant', () => ({ ...tokenForm(), grant_type: '' }), 400, 'invalid_request'],
    ['a scope that is not granted', () => ({ ...tokenForm(), scope: 'orders.none' }), 400, 'invalid_scope'],
    ['no client authentication', () => ({ grant_type: 'client_credentials', audience: orders }), 401, 'invalid_client'],
    [
      'a subject token that is none',
      () => ({
        ...tokenForm(),
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: 'x',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      }),
      400,
      'invalid_request',
    ],
  ] as const)('refuses %s', async (_, form, status, error) => {
    const response = await post('/token', form());
    expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([status, error]);
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  it('T-31: refuses a parameter that is given twice, whether it is known or not', async () => {
    const form = new URLSearchParams(tokenForm());
    for (const name of ['audience', 'unheard']) {
      const response = await post('/token', `${form}&${name}=a&${name}=a`);
      expect([response.status, await response.json()]).toMatchObject([400, { error: 'invalid_request' }]);
    }
  });

  it('takes forms only, and of a bounded size', async () => {
    const json = await post('/token', JSON.stringify(tokenForm()), { 'content-type': 'application/json' });
    expect([json.status, await json.json()]).toMatchObject([400, { error: 'invalid_request' }]);
    const large = await post('/token', { ...tokenForm(), unheard: 'x'.repeat(70_000) });
    expect(large.status).toBe(413);
  });

  it('refuses two methods of client authentication, and challenges a client that tried Basic', async () => {
    const basic = { authorization: `Basic ${Buffer.from(`${encodeURIComponent(gateway)}:secret`).toString('base64')}` };
    const both = await post('/token', tokenForm(), basic);
    expect([both.status, await both.json()]).toMatchObject([400, { error: 'invalid_request' }]);
    const alone = await post('/token', { grant_type: 'client_credentials', audience: orders }, basic);
    expect([alone.status, alone.headers.get('www-authenticate')]).toEqual([401, 'Basic']);
    const malformed = await post('/token', { grant_type: 'client_credentials', audience: orders }, { authorization: 'Basic %%%' });
    expect(malformed.status).toBe(401);
  });

  it('T-17: takes an assertion once, over HTTP as over gRPC', async () => {
    const form = tokenForm();
    expect((await post('/token', form)).status).toBe(200);
    expect((await post('/token', form)).status).toBe(401);
  });

  it('calls a DPoP proof that does not count by its name', async () => {
    const response = await post('/token', tokenForm(), { dpop: 'not a proof' });
    expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([400, 'invalid_dpop_proof']);
  });

  it('tells nothing of a failure that nobody foresaw', async () => {
    let isDiskFull = false;
    const broken = await createTestIssuer({
      store: (store) => ({
        ...store,
        transaction: (work) => (isDiskFull ? Promise.reject(new Error('the disk is full')) : store.transaction(work)),
      }),
    });
    isDiskFull = true;
    const other = await startFacade({
      operations: createOperations({ keys: broken.keys, config: broken.config, run: (work) => work(broken) }, log),
      log,
      listen: { host: '127.0.0.1', port: 0 },
      tls: { cert: Buffer.from(cert), key: Buffer.from(key) },
      url: issuerUrl,
    });
    broken.clock.nowMs = Date.now();
    const before = facade;
    facade = other;
    const response = await post('/token', tokenForm());
    facade = before;
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('{"error":"server_error","error_description":"internal error"}');
    await other.close();
    await broken.close();
  });

  it('logs refusals by their reason, and no parameter', async () => {
    const form: Record<string, string> = { ...tokenForm(), grant_type: 'password' };
    await post('/token', form);
    expect(log.entries).toMatchObject([{ event: 'call.refused', method: 'POST /token', reason: 'GRANT_TYPE_UNSUPPORTED' }]);
    for (const part of form.client_assertion?.split('.') ?? []) expect(JSON.stringify(log.entries)).not.toContain(part);
  });
});

describe('GET /jwks', () => {
  it('may be kept, and is not sent again to who has it', async () => {
    const first = await toFacade('https://any.test/jwks');
    expect(first.headers.get('cache-control')).toBe('public, max-age=300');
    expect(first.headers.get('content-type')).toBe('application/jwk-set+json');
    const { keys } = (await first.json()) as { keys: { alg: string; d?: string }[] };
    expect(keys.map(({ alg, d }) => [alg, d])).toEqual([['ES256', undefined]]);
    const etag = first.headers.get('etag') ?? '';
    expect((await toFacade('https://any.test/jwks', { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await toFacade('https://any.test/jwks', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
  });
});

describe('GET /.well-known/oauth-authorization-server', () => {
  it('names what a client of a method that signs needs to know, and no algorithm that is none', async () => {
    const response = await toFacade('https://any.test/.well-known/oauth-authorization-server');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, expect.stringMatching(/^application\/json/)]);
    const metadata = (await response.json()) as Record<string, unknown>;
    expect(metadata).toMatchObject({ issuer: issuerUrl, token_endpoint: `${issuerUrl}/token`, response_types_supported: [] });
    for (const endpoint of ['token', 'introspection', 'revocation']) {
      expect(metadata[`${endpoint}_endpoint_auth_methods_supported`]).toContain('private_key_jwt');
      expect(metadata[`${endpoint}_endpoint_auth_signing_alg_values_supported`]).toContain('ES256');
    }
    expect(JSON.stringify(metadata)).not.toContain('"none"');
    const empty = Object.entries(metadata).filter(([, value]) => value === '' || value === null || (Array.isArray(value) && !value.length));
    expect(empty.map(([name]) => name)).toEqual(['response_types_supported']);
  });
});

describe('other requests', () => {
  it.each([
    ['GET', '/token', 405, 'POST'],
    ['GET', '/introspect', 405, 'POST'],
    ['PUT', '/revoke', 405, 'POST'],
    ['POST', '/jwks', 405, 'GET, HEAD'],
    ['GET', '/nothing', 404, null],
    ['GET', '/token/', 404, null],
  ])('%s %s is answered %i', async (method, path, status, allow) => {
    const response = await toFacade(`https://any.test${path}`, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([status, allow]);
  });

  it('a token that its asker may not know about is introspected as inactive, with nothing beside', async () => {
    const as = await discover();
    const { access_token } = await ownToken(as, gateway, orders);
    const response = await post('/introspect', { token: access_token, ...credentialOf(payments) });
    expect(await response.text()).toBe('{"active":false}');
  });

  it('revoking what is no token succeeds', async () => {
    const response = await post('/revoke', { token: 'whatever', ...credentialOf(payments) });
    expect([response.status, await response.text()]).toEqual([200, '']);
  });
});
