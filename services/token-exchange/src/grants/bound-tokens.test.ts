import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { type Client, credentials, Metadata, Server, type ServiceError, status } from '@grpc/grpc-js';
import {
  callerOf,
  clientCertificate,
  createMesh,
  kubernetesToken,
  type Mesh,
  privateKeyJwt,
  refusalOf,
  unary,
  type WorkloadCredential,
} from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { type OrdersHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { exportJwk, generateSigningKey, type Reason, signDpopProof } from '@tokenmesh/token';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestAuthority, createTestCertificate, type TestCertificate } from '../clients/test-certificate.ts';
import { loadConfig } from '../config/config.ts';
import { openSqliteStore } from '../record/sqlite.ts';
import type { Store } from '../record/store.ts';
import { startTokenExchange, type TokenExchangeServer } from '../server.ts';
import {
  authenticate,
  createTestLog,
  encryption,
  gateway,
  issuerUrl,
  keyOf,
  newId,
  operator,
  orders,
  own,
  temporaryDirectory,
} from '../testing.ts';

const authority = createTestAuthority();
const server = authority.issue([own]);
const [gatewayCertificate, ordersCertificate] = [authority.issue([gateway]), authority.issue([orders])];
const clusterKey = generateSigningKey('RS256', 'cluster');

let directory: ReturnType<typeof temporaryDirectory>;
let store: Store;
let exchange: TokenExchangeServer;
let log: ReturnType<typeof createTestLog>;
let open: (Client | Mesh)[];

const file = (name: string) => join(directory.path, name);

/** Real configuration, as an operator writes it. */
async function start(clientCertificates: 'required' | 'optional', development = false): Promise<void> {
  directory = temporaryDirectory();
  open = [];
  log = createTestLog();
  writeFileSync(file('tls.crt'), server.cert);
  writeFileSync(file('tls.key'), server.key);
  writeFileSync(file('ca.crt'), authority.cert);
  for (const id of [orders, operator])
    writeFileSync(file(`${id.split('/').at(-1)}.json`), JSON.stringify({ keys: [exportJwk(keyOf(id))] }));
  writeFileSync(file('cluster.json'), JSON.stringify({ keys: [exportJwk(clusterKey)] }));
  writeFileSync(
    file('tokenmesh.yaml'),
    `trust_domain: shop.test
listen: 127.0.0.1:0
facade: { listen: 127.0.0.1:0 }
development: ${development}
tls: { cert: tls.crt, key: tls.key, client_ca: ca.crt, client_certificate: ${clientCertificates} }
store: { sqlite: record.db }
workloads:
  - { id: "${gateway}", tls_client_auth: true }
  - { id: "${orders}", jwks_file: orders.json }
  - { id: "${operator}", jwks_file: operator.json }
federation:
  - issuer: https://cluster.shop.test
    audience: ${issuerUrl}
    jwks_file: cluster.json
    workloads: [{ id: "${orders}", claims: { sub: "system:serviceaccount:shop:orders", kubernetes.io: { namespace: shop } } }]
audiences:
  - { id: "${orders}", scopes: [orders.read, orders.write] }
grants:
  - { from: "${gateway}", to: "${orders}", scopes: [orders.write], delegation: { scopes: [orders.write] } }
  - { from: "${orders}", to: "${orders}", scopes: [orders.write], binding: certificate, delegation: { scopes: [orders.write] } }
  - { from: "${operator}", to: "${own}", scopes: [admin.read], binding: certificate }
`,
  );
  store = await openSqliteStore(file('record.db'), { newId });
  exchange = await startTokenExchange({ config: loadConfig(file('tokenmesh.yaml')), store, encryption, log });
}

afterEach(async () => {
  for (const one of open) await one.close();
  await exchange.close();
  await store.close();
  directory.remove();
});

const address = () => `localhost:${exchange.port}`;

function clientOf<T extends Client>(
  ServiceClient: new (...options: ConstructorParameters<typeof tokenmesh.TokenExchange>) => T,
  certificate?: TestCertificate,
): T {
  const client = new ServiceClient(address(), credentials.createSsl(authority.cert, certificate?.key, certificate?.cert));
  open.push(client);
  return client;
}

async function meshOf(self: string, credential: WorkloadCredential, certificate?: TestCertificate): Promise<Mesh> {
  const joined = await createMesh({ self, tokenExchange: address(), credential, ca: authority.cert, ...(certificate && { certificate }) });
  open.push(joined);
  return joined;
}

async function refusal(call: Promise<unknown>): Promise<[string | undefined, Reason | undefined]> {
  const error = await call.then(
    () => undefined,
    (refused: ServiceError) => refused,
  );
  return [error && status[error.code], error && refusalOf(error)?.reason];
}

describe('with client certificates optional', () => {
  beforeEach(() => start('optional'));

  it('issues bound tokens by certificate, which another certificate cannot use', async () => {
    const { access_token } = await unary(clientOf(tokenmesh.TokenExchange, ordersCertificate), 'exchangeToken', {
      ...authenticate(operator, Date.now),
      grant_type: 'client_credentials',
      audience: own,
      scope: 'admin.read',
    });
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${access_token}`);
    const list = (certificate?: TestCertificate) => unary(clientOf(tokenmesh.Admin, certificate), 'listWorkloads', {}, { metadata });
    expect((await list(ordersCertificate)).workloads).toHaveLength(3);
    expect(await refusal(list(gatewayCertificate))).toEqual(['UNAUTHENTICATED', 'BINDING_MISMATCH']);
    expect(await refusal(list())).toEqual(['UNAUTHENTICATED', 'BINDING_MISMATCH']);
  });

  it('authenticates by a certificate of its authority, and by no other', async () => {
    const ask = (certificate?: TestCertificate, client_id = gateway) =>
      unary(clientOf(tokenmesh.TokenExchange, certificate), 'exchangeToken', {
        client_id,
        grant_type: 'client_credentials',
        audience: orders,
      });
    expect((await ask(gatewayCertificate)).access_token).not.toBe('');
    const refused = ['UNAUTHENTICATED', 'CLIENT_AUTHENTICATION_FAILED'];
    expect(await refusal(ask())).toEqual(refused);
    expect(await refusal(ask(createTestAuthority().issue([gateway])))).toEqual(refused);
    expect(await refusal(ask(createTestCertificate()))).toEqual(refused);
    expect(await refusal(ask(ordersCertificate))).toEqual(refused);
    expect(await refusal(ask(gatewayCertificate, orders))).toEqual(refused);
  });

  it('authenticates by a certificate of its authority over HTTP as well, and by no other', async () => {
    const form = new URLSearchParams({ client_id: gateway, grant_type: 'client_credentials', audience: orders });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const ask = (certificate?: TestCertificate) =>
      new Promise<number | undefined>((resolve, reject) => {
        const tls = { ca: authority.cert, agent: false, ...(certificate && { key: certificate.key, cert: certificate.cert }) };
        const options = { host: 'localhost', port: exchange.facadePort, path: '/token', method: 'POST', headers, ...tls };
        const sent = request(options, (response) => resolve(response.resume().statusCode));
        sent.on('error', reject);
        sent.end(form.toString());
      });
    expect(await ask(gatewayCertificate)).toBe(200);
    for (const other of [undefined, ordersCertificate, createTestAuthority().issue([gateway]), createTestCertificate()]) {
      expect(await ask(other)).toBe(401);
    }
  });

  it('carries a bound token to whom it is for, who exchanges it with the evidence of its binding, and to nobody else', async () => {
    const gatewayMesh = await meshOf(gateway, clientCertificate(), gatewayCertificate);
    const ordersMesh = await meshOf(orders, privateKeyJwt(keyOf(orders)), ordersCertificate);
    const intruder = authority.issue(['spiffe://shop.test/intruder']);
    const second = ordersMesh.client(orders);
    const handlers: Pick<OrdersHandlers, 'Create' | 'Get'> = {
      // passes the call on to itself, on behalf of its caller
      Create(call, callback) {
        const caller = callerOf(call);
        if (caller.act.length > 0) return callback(null, { chain: [caller.sub, ...caller.act] });
        unary(toItself, 'create', {}, { onBehalfOf: caller }).then((answer) => callback(null, answer), callback);
      },
      Get: (_call, callback) => callback(null, {}),
    };
    const ordersServer = new Server({ interceptors: ordersMesh.server(shopPackage) });
    ordersServer.addService(shop.Orders.service, handlers as OrdersHandlers); // true of every method that is called here
    const port = await new Promise<number>((resolve, reject) =>
      ordersServer.bindAsync('127.0.0.1:0', ordersMesh.serverCredentials(), (error, bound) => (error ? reject(error) : resolve(bound))),
    );
    const connect = (tls: ReturnType<Mesh['channelCredentials']>, options: ReturnType<Mesh['client']> = {}) => {
      const client = new shop.Orders(`localhost:${port}`, tls, options);
      open.push(client);
      return client;
    };
    const toItself = connect(ordersMesh.channelCredentials(), second);
    try {
      await Promise.all([gatewayMesh.ready(), ordersMesh.ready()]);
      const answer = await unary(connect(gatewayMesh.channelCredentials(), gatewayMesh.client(orders)), 'create', {});
      expect(answer.chain).toEqual([gateway, orders]);
      const request = { client_id: gateway, grant_type: 'client_credentials', audience: orders };
      const { access_token } = await unary(clientOf(tokenmesh.TokenExchange, gatewayCertificate), 'exchangeToken', request);
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${access_token}`);
      const replay = ({ key, cert }: TestCertificate) =>
        unary(connect(credentials.createSsl(authority.cert, key, cert)), 'create', {}, { metadata });
      expect((await replay(gatewayCertificate)).chain).toEqual([gateway, orders]);
      expect(await refusal(replay(intruder))).toEqual(['UNAUTHENTICATED', 'BINDING_MISMATCH']);
    } finally {
      ordersServer.forceShutdown();
    }
  });

  it('takes the projected token of a Kubernetes pod from its file', async () => {
    const jwt = await new SignJWT({ 'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'orders' } } })
      .setProtectedHeader({ alg: 'RS256', kid: 'cluster' })
      .setIssuer('https://cluster.shop.test')
      .setSubject('system:serviceaccount:shop:orders')
      .setAudience([issuerUrl])
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(clusterKey.privateKey);
    writeFileSync(file('token'), jwt);
    const mesh = await meshOf(orders, kubernetesToken(file('token')));
    await mesh.ready();
    expect(log.entries.filter(({ event }) => event === 'call.refused')).toEqual([]);
  });

  it('binds to the key of a DPoP proof in the metadata, once, for the authority that is configured', async () => {
    const client = clientOf(tokenmesh.TokenExchange);
    const key = generateSigningKey();
    const ask = (...proofs: string[]) => {
      const metadata = new Metadata();
      for (const proof of proofs) metadata.add('dpop', proof);
      const request = { ...authenticate(orders, Date.now), grant_type: 'client_credentials', audience: own };
      return unary(client, 'exchangeToken', request, { metadata });
    };
    const sign = (host: string) =>
      signDpopProof({ key, htm: 'POST', htu: `https://${host}/tokenmesh.v1.TokenExchange/ExchangeToken`, now: Date.now, newId });
    const proof = sign('token-exchange.shop.test');
    const answer = await ask(proof);
    expect(answer.token_type).toBe('DPoP');
    expect(JSON.parse(Buffer.from(answer.access_token.split('.')[1] ?? '', 'base64url').toString()).cnf).toEqual({ jkt: key.kid });
    expect(await refusal(ask(proof))).toEqual(['UNAUTHENTICATED', 'PROOF_REPLAYED']);
    expect(await refusal(ask(sign(address())))).toEqual(['UNAUTHENTICATED', 'PROOF_INVALID']);
    expect(await refusal(ask(sign('token-exchange.shop.test'), sign('token-exchange.shop.test')))).toEqual([
      'UNAUTHENTICATED',
      'PROOF_INVALID',
    ]);
  });
});

describe('in development', () => {
  beforeEach(() => start('optional', true));

  it('says so at each start', () => {
    expect(log.entries.filter(({ event }) => event === 'development')).toHaveLength(1);
  });
});

describe('with client certificates required', () => {
  beforeEach(() => start('required'));

  it('lets nobody in without one of its authority', async () => {
    const metadata = (certificate?: TestCertificate) => unary(clientOf(tokenmesh.TokenExchange, certificate), 'getMetadata', {});
    expect((await metadata(gatewayCertificate)).token_endpoint_auth_methods_supported).toEqual(['private_key_jwt', 'tls_client_auth']);
    expect(log.entries.filter(({ event }) => event === 'development')).toEqual([]);
    expect((await refusal(metadata()))[0]).toBe('UNAVAILABLE');
    expect((await refusal(metadata(createTestAuthority().issue([gateway]))))[0]).toBe('UNAVAILABLE');
  });
});
