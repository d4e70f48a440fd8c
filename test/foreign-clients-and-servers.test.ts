import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { OutgoingHttpHeaders } from 'node:http2';
import { credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { accessRules, callerOf, createMesh, type Mesh, refusalOf, refusalStatus } from '@tokenmesh/interceptor';
import { meshOptions, type Shop, spiffeId, startShop } from '@tokenmesh/shop/demo';
import { importSigningKey } from '@tokenmesh/token';
import { createLocalJWKSet, exportJWK, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fetchFromFacade, tlsOf, withFacade } from './facade-of-shop.ts';
import { type CallKind, callKinds, everyKind, fourKinds, fourKindsClient, fourKindsHandlers } from './four-kinds.ts';
import { type WireTarget, wireCall } from './wire-call.ts';

const issuer = 'https://token-exchange.shop.test';
const [foreigner, orders, payments] = ['foreigner', 'orders', 'payments'].map(spiffeId) as [string, string, string]; // as many
const message = Buffer.from('a message');
const closing: (() => unknown)[] = [];
let shop: Shop;
let facade: typeof fetch;

beforeAll(async () => {
  shop = await startShop({
    nats: false,
    workloads: ['foreigner'],
    grants: [
      { from: foreigner, to: orders, scopes: ['orders.read'], delegation: false },
      { from: foreigner, to: payments, scopes: ['payments.watch'], delegation: false },
    ],
    settings: withFacade,
  });
  closing.push(() => shop.close());
  facade = fetchFromFacade(shop, 'foreigner');
});

afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

/** Serves on a port of the system's choice, with the certificate of a workload. */
async function listen(server: Server, workload: string): Promise<number> {
  const { ca, cert, key } = tlsOf(shop, workload);
  const tls = ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], true);
  closing.push(() => server.forceShutdown());
  return await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', tls, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

/** A token, by an OAuth client that knows nothing of this mesh. */
async function obtain(audience: string, DPoP?: oauth.DPoPHandle): Promise<string> {
  const options = { [oauth.customFetch]: (url: string, init: object) => facade(url, init) };
  const discovered = await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...options });
  const server = await oauth.processDiscoveryResponse(new URL(issuer), discovered);
  const { privateKey, kid } = importSigningKey(readFileSync(shop.workloads.get('foreigner')?.keyFile ?? ''));
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  const key = await crypto.subtle.importKey('pkcs8', Uint8Array.from(der), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  const client = { client_id: foreigner };
  const authentication = oauth.PrivateKeyJwt({ key, kid });
  const asked = { ...options, ...(DPoP && { DPoP }) };
  const answer = await oauth.clientCredentialsGrantRequest(server, client, authentication, { audience }, asked);
  return (await oauth.processClientCredentialsResponse(server, client, answer)).access_token;
}

describe('a service of the mesh', () => {
  const reads = 'foreign.v1.Reads';
  const writes = 'foreign.v1.Writes';
  const callers: string[] = [];
  let target: WireTarget;
  let forOrders: string;
  let forPayments: string;

  beforeAll(async () => {
    const mesh = await createMesh(meshOptions(shop.environment('orders')));
    closing.push(() => mesh.close());
    const rules = [
      accessRules(fourKinds(reads), everyKind({ scopes: ['orders.read'] })),
      accessRules(fourKinds(writes), everyKind({ scopes: ['orders.write'] })),
    ];
    const server = new Server({ interceptors: mesh.server(...rules) });
    for (const service of [reads, writes]) {
      server.addService(
        fourKinds(service),
        fourKindsHandlers((_, call) => callers.push(callerOf(call).clientId)),
      );
    }
    target = { port: await listen(server, 'orders'), tls: tlsOf(shop, 'foreigner') };
    await mesh.ready();
    [forOrders, forPayments] = [await obtain(orders), await obtain(payments)];
  });

  beforeEach(() => {
    callers.length = 0;
  });

  /** How one client of another make calls, and what it learns. */
  type ForeignCall = (
    path: string,
    authorization: string | undefined,
  ) => Promise<{ code: number; challenge: string; messages: readonly Buffer[] }>;

  const clients: Readonly<Record<string, ForeignCall>> = {
    async 'bare grpc-js'(path, authorization) {
      const { ca, cert, key } = tlsOf(shop, 'foreigner');
      const client = fourKindsClient(`localhost:${target.port}`, credentials.createSsl(ca, key, cert));
      const metadata = new Metadata();
      if (authorization !== undefined) metadata.set('authorization', authorization);
      const { error, messages } = await client.call(path, message, metadata);
      client.close();
      return { code: error?.code ?? status.OK, challenge: String(error?.metadata.get('www-authenticate') ?? ''), messages };
    },
    async 'HTTP/2 alone'(path, authorization) {
      const headers = authorization === undefined ? {} : { authorization };
      const { code, metadata, messages } = await wireCall(target, { path, headers, messages: [message] });
      return { code, challenge: String(metadata.get('www-authenticate')), messages };
    },
  };
  const both = Object.keys(clients).flatMap((name) => callKinds.map((kind): [string, CallKind] => [name, kind]));

  it.each(both)('answers a client of %s with a token from the HTTP door: a %s call', async (name, kind) => {
    const answer = await clients[name]?.(`/${reads}/${kind}`, `Bearer ${forOrders}`);
    expect(answer).toEqual({ code: status.OK, challenge: '', messages: [message] });
    expect(callers).toEqual([foreigner]);
  });

  it.each(both)('refuses a client of %s in terms that it understands: a %s call', async (name, kind) => {
    const call = clients[name] as ForeignCall; // it is one of them
    const { UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT } = status;
    const tampered = forOrders.replace(/.{4}$/, 'AAAA');
    expect(await call(`/${reads}/${kind}`, undefined)).toMatchObject({ code: UNAUTHENTICATED, challenge: 'Bearer' });
    for (const [authorization, code, challenge] of [
      [`Bearer ${forPayments}`, UNAUTHENTICATED, /^Bearer error="invalid_token"/],
      [`Bearer ${tampered}`, UNAUTHENTICATED, /^Bearer error="invalid_token"/],
      [`Basic ${Buffer.from('a:b').toString('base64')}`, INVALID_ARGUMENT, /^Bearer error="invalid_request"/],
    ] as const) {
      expect(await call(`/${reads}/${kind}`, authorization)).toEqual({ code, challenge: expect.stringMatching(challenge), messages: [] });
    }
    const lacking = await call(`/${writes}/${kind}`, `Bearer ${forOrders}`);
    expect(lacking).toMatchObject({
      code: PERMISSION_DENIED,
      challenge: expect.stringMatching(/^Bearer error="insufficient_scope".*scope="orders.write"$/),
    });
    expect(callers).toEqual([]);
  });

  it.each(callKinds)(
    'answers a client that proves its key as RFC 9449 has it, and nobody who has the token alone: a %s call',
    async (kind) => {
      const keys = await oauth.generateKeyPair('ES256');
      const token = await obtain(orders, oauth.DPoP({}, keys));
      const path = `/${reads}/${kind}`;
      const prove = async () =>
        await new SignJWT({
          ...{ jti: randomUUID(), htm: 'POST', htu: `https://orders.shop.test${path}` },
          ath: createHash('sha256').update(token).digest('base64url'),
        })
          .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(keys.publicKey) })
          .setIssuedAt()
          .sign(keys.privateKey);
      const call = (headers: OutgoingHttpHeaders) => wireCall(target, { path, headers, messages: [message] });

      const dpop = await prove();
      expect(await call({ authorization: `DPoP ${token}`, dpop })).toMatchObject({ code: status.OK, messages: [message] });
      expect(await call({ authorization: `DPoP ${token}`, dpop: await prove() })).toMatchObject({ code: status.OK });
      for (const [headers, challenge] of [
        [{ authorization: `DPoP ${token}`, dpop }, /^DPoP error="invalid_dpop_proof"/],
        [{ authorization: `DPoP ${token}` }, /^DPoP error="invalid_dpop_proof"/],
        [{ authorization: `Bearer ${token}`, dpop: await prove() }, /^DPoP error="invalid_token"/],
      ] as const) {
        const { code, metadata, messages } = await call(headers);
        expect([code, String(metadata.get('www-authenticate')), messages]).toEqual([
          status.UNAUTHENTICATED,
          expect.stringMatching(challenge),
          [],
        ]);
      }
      expect(callers).toEqual([foreigner, foreigner]);
    },
  );
});

describe('a client of the mesh', () => {
  const service = 'foreign.v1.Elsewhere';
  /** Tokens that reached the foreign service, call by call. */
  const presented: string[] = [];
  let port: number;
  let mesh: Mesh;
  let client: ReturnType<typeof fourKindsClient>;
  /** What the foreign service says of a token. */
  let judge: (token: string) => Promise<Partial<ServiceError> | undefined>;
  let accept: typeof judge;
  let seen: JWTPayload[];

  beforeAll(async () => {
    const keySet = createLocalJWKSet((await (await facade(`${issuer}/jwks`)).json()) as Parameters<typeof createLocalJWKSet>[0]); // RFC 7517
    const verified = async (token: string) => {
      const { payload } = await jwtVerify(token, keySet, { issuer, audience: payments, typ: 'at+jwt', algorithms: ['ES256'] });
      seen.push(payload);
      return undefined;
    };
    // a service that shares no code with the mesh asks before each of its handlers
    const echo = fourKindsHandlers(() => {});
    const guarded = Object.entries(echo).map(([kind, handler]) => [
      kind,
      async (...args: [{ metadata: Metadata; emit(event: 'error', error: unknown): void }, ((error: unknown) => void)?]) => {
        const [call, callback] = args;
        const token = String(call.metadata.get('authorization')[0]).slice('Bearer '.length);
        presented.push(token);
        const refusal = await judge(token);
        if (!refusal) Reflect.apply(handler, echo, args);
        else if (callback) callback(refusal);
        else call.emit('error', refusal);
      },
    ]);
    const server = new Server();
    server.addService(fourKinds(service), Object.fromEntries(guarded));
    port = await listen(server, 'payments');
    accept = verified;
  });

  beforeEach(async () => {
    [seen, judge] = [[], accept];
    const startedAt = Date.now();
    // a test is over within one second of the mesh: for so long it remembers what it was refused
    mesh = await createMesh({ ...meshOptions(shop.environment('foreigner')), now: () => startedAt });
    client = fourKindsClient(`localhost:${port}`, mesh.channelCredentials(), mesh.client(payments));
    await mesh.ready();
  });

  afterEach(async () => {
    presented.length = 0;
    client.close();
    await mesh.close();
  });

  it.each(callKinds)('is taken by a foreign service that verifies with the keys of the HTTP door: a %s call', async (kind) => {
    expect(await client.call(`/${service}/${kind}`, message, new Metadata())).toEqual({ messages: [message] });
    expect(seen).toEqual([expect.objectContaining({ sub: foreigner, client_id: foreigner, scope: 'payments.watch' })]);
  });

  it.each(callKinds)('takes a refusal without details for what it is, and asks nobody again: a %s call', async (kind) => {
    judge = async () => ({ code: status.UNAUTHENTICATED, details: 'no' });
    for (let call = 0; call < 10; call++) {
      const { error } = await client.call(`/${service}/${kind}`, message, new Metadata());
      expect([error?.code, error?.details]).toEqual([status.UNAUTHENTICATED, 'no']);
      expect(refusalOf(error)).toBeUndefined();
    }
    expect(presented).toHaveLength(10);
    expect(new Set(presented).size).toBe(1);
  });

  it.each(callKinds)('shows two tokens, and no more in a second, to a service that calls each of them revoked: %s calls', async (kind) => {
    judge = async () => refusalStatus('TOKEN_REVOKED', { admitted: 'false' });
    for (let call = 0; call < 5; call++) {
      const { error } = await client.call(`/${service}/${kind}`, message, new Metadata());
      expect(refusalOf(error)?.reason).toBe('TOKEN_REVOKED');
    }
    expect(presented).toHaveLength(2);
    expect(new Set(presented).size).toBe(2);
  });

  it.each(callKinds)('T-48: takes details that cannot be read for none: a %s call', async (kind) => {
    for (const details of [Buffer.alloc(0), Buffer.from('not protobuf'), Buffer.alloc(2_000, 0xff), Buffer.from(randomUUID())]) {
      const metadata = new Metadata();
      metadata.set('grpc-status-details-bin', details);
      judge = async () => ({ code: status.PERMISSION_DENIED, details: 'no', metadata });
      const { error } = await client.call(`/${service}/${kind}`, message, new Metadata());
      expect([error?.code, error?.details, refusalOf(error)]).toEqual([status.PERMISSION_DENIED, 'no', undefined]);
    }
    expect(presented).toHaveLength(4);
  });
});
