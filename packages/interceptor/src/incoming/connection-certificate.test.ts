import { AsyncResource } from 'node:async_hooks';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import { credentials, Metadata, Server, ServerCredentials, ServerInterceptingCall } from '@grpc/grpc-js';
import { shop } from '@tokenmesh/proto/shop';
import { createTestAuthority, type TestCertificate } from '@tokenmesh/token/test-certificate';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { unary } from '../outgoing/unary.ts';
import { CallPeer } from './call-peer.ts';
import { type ConnectedCall, certificateThumbprint, findConnection } from './connection-certificate.ts';

const authority = createTestAuthority();
const workload = (name: string) => authority.issue([`spiffe://shop.test/${name}`]);
/** What is found for a call that comes in the present context. */
const thumbprintHere = (call: ConnectedCall) => certificateThumbprint(call, findConnection(call));
const thumbprintOf = ({ cert }: TestCertificate) => createHash('sha256').update(new X509Certificate(cert).raw).digest('base64url');

let close: (() => void)[];
/** What was found for a call, by the id of the order that it asked for. */
let found: Map<string, string | undefined>;
/** How often grpc-js was asked for a certificate. */
let asked: number;
/** What is done in the context of each call. */
let onCall: (call: ConnectedCall) => void;

function open(serverCredentials: ServerCredentials) {
  const server = new Server({
    interceptors: [
      (_, nextCall) => {
        const call: ConnectedCall = {
          getConnectionInfo: () => nextCall.getConnectionInfo(),
          getAuthContext: () => {
            asked++;
            return nextCall.getAuthContext();
          },
        };
        return new ServerInterceptingCall(nextCall, {
          start(next) {
            next({
              onReceiveMetadata(metadata, nextMetadata) {
                onCall(call);
                found.set(String(metadata.get('order')), thumbprintHere(call));
                nextMetadata(metadata);
              },
            });
          },
        });
      },
    ],
  });
  server.addService(shop.Orders.service, { Get: (_: unknown, callback: (error: null, answer: object) => void) => callback(null, {}) });
  close.push(() => server.forceShutdown());
  return {
    server,
    /** Its address. */
    listen: (at = '127.0.0.1:0') =>
      new Promise<string>((resolve, reject) => {
        server.bindAsync(at, serverCredentials, (error, port) =>
          error ? reject(error) : resolve(at.startsWith('unix:') ? at : `localhost:${port}`),
        );
      }),
  };
}

const mutualTls = ({ cert, key } = workload('orders')) =>
  ServerCredentials.createSsl(authority.cert, [{ private_key: key, cert_chain: cert }], true);

function connect(address: string, certificate?: TestCertificate) {
  const channel = credentials.createSsl(authority.cert, certificate?.key, certificate?.cert);
  const client = new shop.Orders(address, channel, { 'grpc.use_local_subchannel_pool': 1, 'grpc.ssl_target_name_override': 'localhost' });
  close.push(() => client.close());
  return {
    client,
    async call(order: string) {
      const metadata = new Metadata();
      metadata.set('order', order);
      await unary(client, 'get', {}, { metadata });
      return found.get(order);
    },
  };
}

/** A call that nobody made, with this certificate at its other end. */
function callOf({ cert }: TestCertificate, addresses: ReturnType<ConnectedCall['getConnectionInfo']>): ConnectedCall {
  // True of what is looked at, which is `raw`.
  const sslPeerCertificate = { raw: new X509Certificate(cert).raw } as PeerCertificate;
  return { getConnectionInfo: () => addresses, getAuthContext: () => ({ sslPeerCertificate }) };
}

beforeEach(() => {
  close = [];
  found = new Map();
  asked = 0;
  onCall = () => undefined;
});

afterEach(() => {
  for (const each of close) each();
});

it('is that of the connection, however calls of several come in between, and grpc-js is asked once for each', async () => {
  const address = await open(mutualTls()).listen();
  await connect(address, workload('first')).call('the first call in a process makes it listen');
  asked = 0;
  const callers = ['gateway', 'web', 'edge'].map((name) => {
    const certificate = workload(name);
    return { thumbprint: thumbprintOf(certificate), ...connect(address, certificate) };
  });
  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const { call, thumbprint } = callers[index % 3] ?? expect.fail('there are three');
      expect(await call(`order ${index}`)).toBe(thumbprint);
    }),
  );
  expect(new Set(found.values()).size).toBe(4);
  expect(asked).toBe(3);
});

it.each([
  ['remotePort', { remotePort: 1 }],
  ['remoteAddress', { remoteAddress: '127.0.0.2' }],
  ['localPort', { localPort: 1 }],
  ['localAddress', { localAddress: '127.0.0.2' }],
])('is that of the call, though it is looked for in the context of one with another %s', async (_, other) => {
  const address = await open(mutualTls()).listen();
  const [gateway, web] = [workload('gateway'), workload('web')];
  const { call } = connect(address, gateway);
  await call('1');
  const elsewhere: (string | undefined)[] = [];
  onCall = (current) => elsewhere.push(thumbprintHere(callOf(web, { ...current.getConnectionInfo(), ...other })));
  expect(await call('2')).toBe(thumbprintOf(gateway));
  expect(elsewhere).toEqual([thumbprintOf(web)]);
});

it('is not that of a connection that was closed, though another has its addresses now', async () => {
  const { server, listen } = open(mutualTls());
  const [gateway, web] = [workload('gateway'), workload('web')];
  const { client, call } = connect(await listen(), gateway);
  await call('1');
  let lookAgain: () => string | undefined = () => undefined;
  onCall = (current) => {
    const addresses = current.getConnectionInfo();
    lookAgain = AsyncResource.bind(() => thumbprintHere(callOf(web, addresses)));
  };
  await call('2');
  expect(lookAgain()).toBe(thumbprintOf(gateway)); // as long as it is open nobody else can have them
  client.close();
  await new Promise<void>((resolve, reject) => server.tryShutdown((error) => (error ? reject(error) : resolve())));
  // the server is done with the connection a moment before its session says so
  await vi.waitFor(() => expect(lookAgain()).toBe(thumbprintOf(web)), { interval: 1 });
});

it('is that of the connection that a call came over, though it is asked for in the context of another and its own was closed', async () => {
  const address = await open(mutualTls()).listen();
  const [gateway, web] = [workload('gateway'), workload('web')];
  const first = connect(address, gateway);
  await first.call('1');
  let peer: CallPeer | undefined;
  onCall = (call) => {
    peer = new CallPeer(call);
  };
  await first.call('2');
  first.client.close();
  const elsewhere: (string | undefined)[] = [];
  onCall = () => elsewhere.push(peer?.certificateThumbprint());
  await connect(address, web).call('3');
  expect(elsewhere).toEqual([thumbprintOf(gateway)]);
});

it('is not that of a later connection with the same addresses, where it could not be told which one a call came over', async () => {
  const address = await open(mutualTls()).listen();
  const [gateway, web] = [workload('gateway'), workload('web')];
  const { call } = connect(address, web);
  await call('1');
  let addresses: ReturnType<ConnectedCall['getConnectionInfo']> = {};
  onCall = (current) => {
    addresses = current.getConnectionInfo();
  };
  await call('2');
  const peer = new CallPeer(callOf(gateway, addresses));
  const elsewhere: (string | undefined)[] = [];
  onCall = () => elsewhere.push(peer.certificateThumbprint());
  await call('3');
  expect(elsewhere).toEqual([thumbprintOf(gateway)]);
});

it('is that of each call over a Unix socket, whose connections have no addresses to be told apart by', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'connection-'));
  close.push(() => rmSync(directory, { recursive: true }));
  const address = await open(mutualTls()).listen(`unix:${join(directory, 'orders')}`);
  const [gateway, web] = [workload('gateway'), workload('web')];
  const { call } = connect(address, gateway);
  await call('1');
  const elsewhere: (string | undefined)[] = [];
  onCall = (current) => elsewhere.push(thumbprintHere(current), thumbprintHere(callOf(web, current.getConnectionInfo())));
  expect(await call('2')).toBe(thumbprintOf(gateway));
  expect(elsewhere).toEqual([gateway, web].map(thumbprintOf));
});

it('is none without mutual TLS', async () => {
  const { cert, key } = workload('orders');
  const address = await open(ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }])).listen();
  const { call } = connect(address);
  await call('1');
  expect(await call('2')).toBeUndefined();
});
