import { type ClientHttp2Session, connect } from 'node:http2';
import { credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { type OrdersHandlers, type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { HealthImplementation } from 'grpc-health-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unary } from '../outgoing/unary.ts';
import { createTestIssuer, orders, type TestIssuer } from '../test-issuer.ts';
import { createAwaitedRequests } from './awaited-requests.ts';
import { type ServerInterceptors, serverInterceptors } from './server-interceptor.ts';

let issuer: TestIssuer;
let guard: ServerInterceptors;
let server: Server;
let address: string;
let session: ClientHttp2Session;
let handled: string[];
/** When set, Create waits for it. */
let answering: Promise<unknown> | undefined;

beforeEach(async () => {
  issuer = createTestIssuer();
  handled = [];
  answering = undefined;
  const { keys, revocation, now } = issuer;
  guard = serverInterceptors({
    packages: [shopPackage],
    audience: orders,
    issuer: issuer.issuer,
    keys,
    revocation,
    now,
    maxUnaryWaitMs: 50,
  });
  server = new Server({ interceptors: guard.interceptors });
  const ordersHandlers: OrdersHandlers = {
    Create(_, callback) {
      handled.push('Create');
      if (answering) void answering.then(() => callback(null, {}));
      else callback(null, {});
    },
    Get: (_, callback) => callback(null, {}),
    Upload(call, callback) {
      handled.push('Upload');
      call.on('end', () => callback(null, { created: 1 })).resume();
    },
    Track: (call) => call.end(),
  };
  const paymentsHandlers: PaymentsHandlers = {
    Charge: (_, callback) => callback(null, {}),
    Refund: (_, callback) => callback(null, {}),
    WatchCharges: (call) => call.end(),
  };
  server.addService(shop.Orders.service, ordersHandlers);
  server.addService(shop.Payments.service, paymentsHandlers);
  new HealthImplementation({ '': 'SERVING' }).addToServer(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  address = `127.0.0.1:${port}`;
  session = connect(`http://${address}`);
});

afterEach(() => {
  session.destroy();
  guard.close();
  server.forceShutdown();
});

/** Sends the headers of a call, and whatever is given of its body; resolves with the status that it ends with. */
async function open(path: string, body?: Buffer): Promise<string> {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${issuer.token({ scope: 'orders.read orders.write payments.watch' })}`,
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  const note = (headers: Record<string, unknown>) => {
    if (headers['grpc-status'] !== undefined) resolve(String(headers['grpc-status']));
  };
  stream
    .on('response', note)
    .on('trailers', note)
    .on('error', () => {})
    .resume();
  if (body) stream.write(body);
  const status = await promise;
  stream.close();
  return status;
}

describe('T-47: a call whose body never comes', () => {
  it.each([
    ['unary', '/shop.v1.Orders/Create', undefined],
    ['unary, with a part of its message', '/shop.v1.Orders/Create', Buffer.from([0, 0, 0, 0, 9, 1])],
    ['unary, with its message and without its end', '/shop.v1.Orders/Create', Buffer.from([0, 0, 0, 0, 0])],
    ['server stream', '/shop.v1.Payments/WatchCharges', undefined],
    ['health', '/grpc.health.v1.Health/Check', undefined],
  ])('(%s) is ended, and its handler never runs', async (_, path, body) => {
    expect(await open(path, body)).toBe('4');
    expect(handled).toEqual([]);
  });

  it('that streams its requests may take its time', async () => {
    const client = new shop.Orders(address, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${issuer.token({ scope: 'orders.write' })}`);
    const uploaded = new Promise((resolve, reject) => {
      const call = client.upload(metadata, (error, value) => (error ? reject(error) : resolve(value)));
      call.write({ item: 'x' });
      // two generations of unary calls pass meanwhile
      void open('/shop.v1.Orders/Create')
        .then(() => open('/shop.v1.Orders/Create'))
        .then(() => call.end());
    });
    expect(await uploaded).toMatchObject({ created: 1 });
    expect(await unary(client, 'create', {}, { metadata })).toBeDefined();
    client.close();
  });
});

it('T-47: a call whose body came may take as long as its handler does', async () => {
  const body = Buffer.from([0, 0, 0, 0, 0]);
  const { promise, resolve } = Promise.withResolvers<void>();
  answering = promise;
  const client = new shop.Orders(address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${issuer.token({ scope: 'orders.write' })}`);
  const created = unary(client, 'create', {}, { metadata });
  // two generations pass meanwhile
  for (let call = 0; call < 2; call++) expect(await open('/shop.v1.Payments/WatchCharges', body)).toBe('4');
  resolve();
  expect(await created).toBeDefined();
  client.close();
});

it('the wait has a limit that a timer can hold', () => {
  for (const wrong of [0, -1, 0.5, 2 ** 31, Number.NaN]) expect(() => createAwaitedRequests(wrong)).toThrow(TypeError);
  for (const right of [1, 2 ** 31 - 1]) createAwaitedRequests(right).close();
});
