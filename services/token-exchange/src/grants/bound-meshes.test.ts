// Whole meshes whose tokens are bound: to a key by DPoP, and to certificates that are renewed while calls go on.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, credentials, Metadata, Server, type ServiceError, status } from '@grpc/grpc-js';
import {
  callerOf,
  clientCertificate,
  createMesh,
  type Mesh,
  type MeshOptions,
  privateKeyJwt,
  type RefusedCall,
  refusalOf,
  unary,
} from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { type OrdersHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { exportJwk, generateSigningKey, signDpopProof } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestAuthority, type TestCertificate } from '../clients/test-certificate.ts';
import { loadConfig } from '../config/config.ts';
import { openSqliteStore } from '../record/sqlite.ts';
import type { Store } from '../record/store.ts';
import { startTokenExchange, type TokenExchangeServer } from '../server.ts';
import { authenticate, createTestLog, encryption, gateway, keyOf, newId, orders, own, temporaryDirectory } from '../testing.ts';

const authority = createTestAuthority();
const ordersCertificate = authority.issue([orders]);

let directory: ReturnType<typeof temporaryDirectory>;
let store: Store;
let exchange: TokenExchangeServer;
let log: ReturnType<typeof createTestLog>;
let open: (Client | Mesh | { close(): void })[];
let refused: RefusedCall[];
/** Thumbprints of the certificates that calls to orders came over connections with. */
let peers: (string | undefined)[];

const file = (name: string) => join(directory.path, name);

async function start(more: string): Promise<void> {
  directory = temporaryDirectory();
  [open, refused, peers] = [[], [], []];
  log = createTestLog();
  const server = authority.issue([own]);
  writeFileSync(file('tls.crt'), server.cert);
  writeFileSync(file('tls.key'), server.key);
  writeFileSync(file('ca.crt'), authority.cert);
  for (const id of [gateway, orders]) writeFileSync(file(`${id.split('/').at(-1)}.json`), JSON.stringify({ keys: [exportJwk(keyOf(id))] }));
  writeFileSync(
    file('tokenmesh.yaml'),
    `trust_domain: shop.test
listen: 127.0.0.1:0
tls: { cert: tls.crt, key: tls.key, client_ca: ca.crt, client_certificate: optional }
store: { sqlite: record.db }
workloads:
  - { id: "${gateway}", jwks_file: gateway.json, tls_client_auth: true }
  - { id: "${orders}", jwks_file: orders.json }
audiences:
  - { id: "${orders}", scopes: [orders.read, orders.write] }
${more}
`,
  );
  store = await openSqliteStore(file('record.db'), { newId });
  exchange = await startTokenExchange({ config: loadConfig(file('tokenmesh.yaml')), store, encryption, log });
}

afterEach(async () => {
  for (const one of open.reverse()) await one.close();
  await exchange.close();
  await store.close();
  directory.remove();
});

async function meshOf(self: string, options: Partial<MeshOptions>): Promise<Mesh> {
  const joined = await createMesh({
    ...{ self, tokenExchange: `localhost:${exchange.port}`, credential: privateKeyJwt(keyOf(self)), ca: authority.cert },
    onRefused: (call) => refused.push(call),
    ...options,
  });
  open.push(joined);
  return joined;
}

/** Orders, that answers who called it; with `toItself`, what it answers itself on behalf of the caller. */
async function serve(mesh: Mesh): Promise<{ readonly port: number; toItself: InstanceType<typeof shop.Orders> | undefined }> {
  const serving: { port: number; toItself: InstanceType<typeof shop.Orders> | undefined } = { port: 0, toItself: undefined };
  const see = (call: { getAuthContext(): { sslPeerCertificate?: { raw: Buffer } } }) => {
    const raw = call.getAuthContext().sslPeerCertificate?.raw;
    peers.push(raw && createHash('sha256').update(raw).digest('base64url'));
  };
  const handlers: Pick<OrdersHandlers, 'Create' | 'Track'> = {
    Create(call, callback) {
      see(call);
      const caller = callerOf(call);
      if (!serving.toItself || caller.act.length > 0) return callback(null, { chain: [caller.sub, ...caller.act] });
      unary(serving.toItself, 'create', {}, { onBehalfOf: caller }).then((answer) => callback(null, answer), callback);
    },
    Track(call) {
      see(call);
      call.on('data', ({ order_id }) => call.write({ order: { order_id } }));
      call.on('end', () => call.end());
    },
  };
  const server = new Server({ interceptors: mesh.server(shopPackage) });
  server.addService(shop.Orders.service, handlers as OrdersHandlers); // true of every method that is called here
  open.push({ close: () => server.forceShutdown() });
  serving.port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', mesh.serverCredentials(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return serving;
}

function connect(mesh: Mesh, port: number, options = mesh.client(orders)): InstanceType<typeof shop.Orders> {
  const client = new shop.Orders(`localhost:${port}`, mesh.channelCredentials(), options);
  open.push(client);
  return client;
}

async function refusal(call: Promise<unknown>): Promise<[string | undefined, string | undefined]> {
  const error = await call.then(
    () => undefined,
    (failure: ServiceError) => failure,
  );
  return [error && status[error.code], error && refusalOf(error)?.reason];
}

describe('a mesh whose grants bind to a key, with nonces asked for everywhere', () => {
  beforeEach(() =>
    start(`authority: sts.shop.test:8443
dpop: { nonce: required }
grants:
  - { from: "${gateway}", to: "${orders}", scopes: [orders.write], binding: dpop, delegation: { scopes: [orders.write] } }
  - { from: "${orders}", to: "${orders}", scopes: [orders.write], binding: dpop, delegation: { scopes: [orders.write] } }`),
  );

  const tokenExchangeAuthority = 'sts.shop.test:8443';

  it('carries calls, acts on behalf of callers whose tokens are bound, and reads the feed with bound tokens', async () => {
    const certificate = authority.issue([gateway]);
    const gatewayMesh = await meshOf(gateway, { dpop: true, tokenExchangeAuthority, certificate });
    const proofs = { nonce: 'required', nonceKey: Buffer.alloc(32, 3) } as const;
    const ordersMesh = await meshOf(orders, { dpop: keyOf(orders), tokenExchangeAuthority, certificate: ordersCertificate, proofs });
    const serving = await serve(ordersMesh);
    serving.toItself = connect(ordersMesh, serving.port);
    const client = connect(gatewayMesh, serving.port);
    await Promise.all([gatewayMesh.ready(), ordersMesh.ready()]); // the feed as well
    for (let call = 0; call < 3; call++) expect((await unary(client, 'create', {})).chain).toEqual([gateway, orders]);
    // each caller was told the nonce once: orders by itself, and at token-exchange by both
    expect(refused.map(({ error }) => error.reason)).toEqual(['PROOF_NONCE_REQUIRED', 'PROOF_NONCE_REQUIRED']);
    const atTokenExchange = log.entries.filter(({ event }) => event === 'call.refused').map(({ reason }) => reason);
    expect(new Set(atTokenExchange)).toEqual(new Set(['PROOF_NONCE_REQUIRED']));
    expect(atTokenExchange.length).toBeLessThanOrEqual(4);
  });

  it('goes by the authority that the called service names', async () => {
    const ordersMesh = await meshOf(orders, {
      ...{ dpop: true, tokenExchangeAuthority, certificate: ordersCertificate },
      authority: 'orders.internal:9443',
    });
    const { port } = await serve(ordersMesh);
    await ordersMesh.ready();
    expect(await refusal(unary(connect(ordersMesh, port), 'create', {}))).toEqual(['UNAUTHENTICATED', 'PROOF_INVALID']);
    const named = ordersMesh.client(orders, { authority: 'orders.internal:9443' });
    expect(await refusal(unary(connect(ordersMesh, port, named), 'create', {}))).toEqual([undefined, undefined]);
  });

  it('asks callers of its own services for a nonce, the same as for a token', async () => {
    const key = generateSigningKey();
    const tls = credentials.createSsl(authority.cert);
    const asking = new tokenmesh.TokenExchange(`localhost:${exchange.port}`, tls);
    const feed = new tokenmesh.RevocationFeed(`localhost:${exchange.port}`, tls);
    open.push(asking, feed);
    const withProof = (method: string, more: { accessToken?: string; nonce?: string } = {}) => {
      const metadata = new Metadata();
      if (more.accessToken !== undefined) metadata.set('authorization', `DPoP ${more.accessToken}`);
      const htu = `https://${tokenExchangeAuthority}${method}`;
      metadata.set('dpop', signDpopProof({ key, htm: 'POST', htu, now: Date.now, newId, ...more }));
      return { metadata };
    };
    const exchangePath = '/tokenmesh.v1.TokenExchange/ExchangeToken';
    const request = () => ({ ...authenticate(gateway, Date.now), grant_type: 'client_credentials', audience: own });
    const told = await unary(asking, 'exchangeToken', request(), withProof(exchangePath)).catch((error: ServiceError) => error);
    const nonce = String((told as ServiceError).metadata.get('dpop-nonce')[0]);
    const { access_token: accessToken } = await unary(asking, 'exchangeToken', request(), withProof(exchangePath, { nonce }));
    const feedPath = '/tokenmesh.v1.RevocationFeed/GetFeedKeys';
    expect(await refusal(unary(feed, 'getFeedKeys', {}, withProof(feedPath, { accessToken })))).toEqual([
      'UNAUTHENTICATED',
      'PROOF_NONCE_REQUIRED',
    ]);
    expect(await refusal(unary(feed, 'getFeedKeys', {}, withProof(feedPath, { accessToken, nonce })))).toEqual([undefined, undefined]);
  });

  it('gives no token to a workload that proves no key, or that takes token-exchange for another', async () => {
    for (const options of [{}, { dpop: true as const }]) {
      const mesh = await meshOf(gateway, options);
      const client = connect(mesh, exchange.port);
      expect(await refusal(unary(client, 'create', {}))).toEqual(['UNAUTHENTICATED', 'PROOF_INVALID']);
    }
  });
});

describe('a mesh whose workloads have short-lived certificates', () => {
  beforeEach(() => start(`grants:\n  - { from: "${gateway}", to: "${orders}", scopes: [orders.read, orders.write] }`));

  it('goes on over a renewal: a live stream as it was, new calls with tokens bound to the new certificate', async () => {
    const write = ({ cert, key }: TestCertificate) => {
      writeFileSync(file('gateway.key'), key);
      writeFileSync(file('gateway.crt'), cert);
    };
    const [first, second] = [authority.issue([gateway]), authority.issue([gateway])];
    write(first);
    const gatewayMesh = await meshOf(gateway, {
      credential: clientCertificate(),
      certificate: { certFile: file('gateway.crt'), keyFile: file('gateway.key') },
    });
    const ordersMesh = await meshOf(orders, { certificate: ordersCertificate });
    const { port } = await serve(ordersMesh);
    const client = connect(gatewayMesh, port);
    await Promise.all([gatewayMesh.ready(), ordersMesh.ready()]);
    const stream = client.track();
    const echo = async (order_id: string) => {
      const answer = once(stream, 'data');
      stream.write({ order_id });
      return (await answer)[0].order.order_id;
    };
    expect(await echo('before')).toBe('before');
    await unary(client, 'create', {});
    const changes = gatewayMesh.status();
    write(second);
    for await (const change of changes) {
      if (change.type !== 'certificate') continue;
      expect(change.change).toMatchObject({ state: 'renewed', thumbprint: second.thumbprint });
      break;
    }
    for (let call = 0; call < 3; call++) await unary(client, 'create', {});
    expect(await echo('after')).toBe('after');
    stream.on('error', () => undefined).cancel();
    expect(peers).toEqual([first, first, second, second, second].map(({ thumbprint }) => thumbprint));
    expect(refused).toEqual([]);
  });
});
