import { credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import type { PackageDefinition } from '@tokenmesh/proto';
import { shop, shopPackage } from '@tokenmesh/proto/shop';
import { exportJwk, type Jwk, type KeySet, type VerificationKey } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusalOf } from '../status.ts';
import { createTestIssuer, gateway, type TestIssuer } from '../test-issuer.ts';
import { type Caller, findCaller } from './caller.ts';
import { createRemoteKeySet, type FetchedKeys } from './remote-key-set.ts';
import { serverInterceptors } from './server-interceptor.ts';
import type { CallVerifierOptions } from './verify-call.ts';

let issuer: TestIssuer;
/** Who the handler saw, call by call; undefined: nobody. */
let seen: (Caller | undefined)[];
let stop: () => void;

beforeEach(() => {
  issuer = createTestIssuer();
  seen = [];
});

afterEach(() => stop());

/** The shop, but for the access rule of one method. */
function shopWith(access: object): PackageDefinition {
  const { 'shop.v1.Orders': orders } = shopPackage;
  // True: it is a service, and its methods have options.
  const { Get, ...others } = orders as unknown as { readonly Get: object };
  return { 'shop.v1.Orders': { ...others, Get: { ...Get, options: { '(tokenmesh.v1.access)': access } } } } as unknown as PackageDefinition;
}

/** Serves `shop.v1.Orders/Get` under this rule; the answer is a function that calls it and tells how that ended. */
async function serve(access: object, options: Partial<CallVerifierOptions> = {}) {
  const guard = serverInterceptors({
    packages: [shopWith(access)],
    audience: 'spiffe://shop.test/orders',
    issuer: issuer.issuer,
    keys: issuer.keys,
    revocation: issuer.revocation,
    now: issuer.now,
    ...options,
  });
  const server = new Server({ interceptors: guard.interceptors });
  server.addService(shop.Orders.service, {
    Get(call: { metadata: Metadata }, callback: (error: null, answer: object) => void) {
      seen.push(findCaller(call));
      callback(null, {});
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const client = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure());
  stop = () => {
    guard.close();
    client.close();
    server.forceShutdown();
  };
  return (token?: string): Promise<string> =>
    new Promise((resolve) => {
      const metadata = new Metadata();
      if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
      client.get({}, metadata, { deadline: Date.now() + 5_000 }, (error: ServiceError | null) => {
        resolve(error ? `${status[error.code]} ${refusalOf(error)?.reason}` : 'OK');
      });
    });
}

describe('T-41 a public method', () => {
  it('lets a call without a credential in as nobody, and one with a good token as who it is', async () => {
    const call = await serve({ public: true });
    expect(await call()).toBe('OK');
    expect(await call(issuer.token())).toBe('OK');
    expect(seen.map((caller) => caller?.sub)).toEqual([undefined, gateway]);
  });

  it.each<[string, () => string, string]>([
    ['that is none', () => 'abc', 'TOKEN_MALFORMED'],
    ['of another issuer', () => issuer.token({ iss: 'https://other.test' }), 'ISSUER_UNTRUSTED'],
    ['for another audience', () => issuer.token({ aud: gateway }), 'AUDIENCE_MISMATCH'],
    ['that is forged', () => createTestIssuer().token(), 'TOKEN_SIGNATURE_INVALID'],
    ['that has expired', () => issuer.token({ iat: 1, exp: 300 }), 'TOKEN_EXPIRED'],
    ['that was revoked', revokedToken, 'TOKEN_REVOKED'],
  ])('refuses a token %s, and does not take its caller for nobody', async (_, token, reason) => {
    const call = await serve({ public: true });
    expect(await call(token())).toBe(`UNAUTHENTICATED ${reason}`);
    expect(seen).toEqual([]);
  });
});

describe('T-42 verification', () => {
  it.each<[object]>([
    [{ public: true }],
    [{ any_caller: true }],
    [{ scopes: 'orders.read' }],
    [{ any_scope: ['orders.read', 'x'] }],
    [{ callers: gateway }],
    [{ any_caller: true, max_act_depth: 0 }],
    [{ any_caller: true, class: 'METHOD_CLASS_CRITICAL' }],
    [{ any_caller: true, max_stale_ms: 3_600_000 }],
    [{ public: true, scopes: 'orders.read', class: 'METHOD_CLASS_STANDARD' }],
  ])('is taken away by no access rule, not by %j', async (access) => {
    const call = await serve(access);
    expect(await call(createTestIssuer().token())).toBe('UNAUTHENTICATED TOKEN_SIGNATURE_INVALID');
    expect(await call(revokedToken())).toBe('UNAUTHENTICATED TOKEN_REVOKED');
    expect(seen).toEqual([]);
  });
});

describe('T-43 whatever the keys and the credential of a call are', () => {
  const own = (): Jwk => exportJwk(issuer.keys.find('test-key') as VerificationKey); // true: it is a local key set
  const answer = (keys: unknown): FetchedKeys => ({ keys: keys as readonly Jwk[], maxAgeSeconds: 60, version: 0 }); // a server answers what it likes
  /** What the issuer answers: one at once, all others after a call has come that waits for it. */
  const answers: Record<string, () => FetchedKeys> = {
    prompt: () => answer([own()]),
    late: () => answer([own()]),
    refused: () => {
      throw new Error('500');
    },
    no: () => answer([]),
    HTML: () => answer('<html><body>It works!</body></html>'),
    'ten megabytes of': () => answer([{ kid: 'test-key', kty: 'RSA', alg: 'RS256', e: 'AQAB', n: 'u'.repeat(10 << 20) }]),
  };
  const tokens: Record<string, () => string | undefined> = {
    no: () => undefined,
    'a malformed': () => 'abc',
    'a forged': () => createTestIssuer().token({ scope: 'orders.read' }),
    'a good': () => issuer.token({ scope: 'orders.read' }),
  };
  const unavailable = 'UNAVAILABLE KEYS_UNAVAILABLE';
  const forged = 'UNAUTHENTICATED TOKEN_SIGNATURE_INVALID';
  const ends: Record<string, Record<string, string>> = {
    prompt: { 'a forged': forged, 'a good': 'OK' },
    late: { 'a forged': forged, 'a good': 'OK' },
    refused: { 'a forged': unavailable, 'a good': unavailable },
    no: { 'a forged': unavailable, 'a good': unavailable },
    HTML: { 'a forged': unavailable, 'a good': unavailable },
    'ten megabytes of': { 'a forged': unavailable, 'a good': unavailable },
  };
  const missing = 'UNAUTHENTICATED CREDENTIAL_MISSING';
  const either: Record<string, string> = { no: missing, 'a malformed': 'UNAUTHENTICATED TOKEN_MALFORMED' };

  it.each(Object.keys(answers).flatMap((keys) => Object.keys(tokens).map((token) => [keys, token] as const)))(
    'the server answers, and goes on: %s keys, %s token',
    async (kind, token) => {
      const asked = Promise.withResolvers<void>();
      const fetched = createRemoteKeySet({
        async fetch() {
          if (kind !== 'prompt') await asked.promise;
          return (answers[kind] as () => FetchedKeys)(); // true: its name is from there
        },
      });
      const find: KeySet['find'] = (kid) => {
        asked.resolve();
        return fetched.find(kid);
      };
      const call = await serve({ scopes: 'orders.read' }, { keys: { find } });
      const end = either[token] ?? ends[kind]?.[token];
      expect(await call(tokens[token]?.())).toBe(end);
      expect(seen).toHaveLength(end === 'OK' ? 1 : 0);
      expect(await call()).toBe(missing);
      fetched.close();
    },
  );
});

function revokedToken(): string {
  const token = issuer.token();
  issuer.revoke({ kind: 'all', value: '' });
  return token;
}
