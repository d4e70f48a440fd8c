import { once } from 'node:events';
import { Server, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { type Mesh, unary } from '@tokenmesh/interceptor';
import { coverage, matchers, type RefusalMatchers, type TestMesh, testMesh } from '@tokenmesh/interceptor/testing';
import { type OrdersClient, shop, shopPackage } from '@tokenmesh/proto/shop';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ordersHandlers } from './orders.ts';
import { paymentsHandlers } from './payments.ts';

declare module 'vitest' {
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown> extends RefusalMatchers {}
}
expect.extend(matchers);

const id = (name: string) => `spiffe://shop.test/${name}`;
const book = { item: 'book', quantity: 2 };

let test: TestMesh;
let servers: Server[];
let orders: OrdersClient;
let ordersAddress: string;

/** Serves as main.ts does, on any free port of this machine. */
async function serve(
  mesh: Mesh,
  service: typeof shop.Orders.service | typeof shop.Payments.service,
  handlers: UntypedServiceImplementation,
) {
  const server = new Server({ interceptors: mesh.server(shopPackage) });
  server.addService(service, handlers);
  servers.push(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', mesh.serverCredentials(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return `127.0.0.1:${port}`;
}

beforeEach(async () => {
  test = testMesh({ trustDomain: 'shop.test' });
  servers = [];
  const paymentsAddress = await serve(await test.meshFor(id('payments')), shop.Payments.service, paymentsHandlers());
  const mesh = await test.meshFor(id('orders'));
  const payments = new shop.Payments(paymentsAddress, mesh.channelCredentials(), mesh.client(id('payments')));
  ordersAddress = await serve(mesh, shop.Orders.service, ordersHandlers(payments));
  const gateway = await test.meshFor(id('gateway'));
  orders = new shop.Orders(ordersAddress, gateway.channelCredentials(), gateway.client(id('orders')));
});

afterEach(async () => {
  orders.close();
  for (const server of servers) server.forceShutdown();
  await test.close();
});

describe('orders', () => {
  it('has an order paid on behalf of whoever ordered, and keeps it', async () => {
    const { order, chain } = await unary(orders, 'create', book);
    expect(chain).toEqual([id('gateway'), id('orders')]);
    expect((await unary(orders, 'get', { order_id: order?.order_id ?? '' })).order).toEqual(order);
    expect(test.exchanges).toContainEqual(expect.objectContaining({ by: id('orders'), audience: id('payments'), outcome: 'issued' }));
  });

  it('goes on telling of orders until the token of whoever asked is taken back', async () => {
    const stream = orders.track();
    const told = once(stream, 'data');
    stream.write({ order_id: 'unknown' });
    expect(await told).toEqual([{ order: null }]);
    test.revoke({ kind: 'client', value: id('gateway') });
    await expect(stream).toBeRefused('TOKEN_REVOKED');
  });

  it('refuses to create for those who may only read', async () => {
    await expect(unary(orders, 'create', book, { scope: 'orders.read' })).toBeRefused('SCOPE_INSUFFICIENT');
  });

  it('lets nobody into any method who may not call it', async () => {
    const [, server] = servers;
    if (!server) throw new Error('not served');
    const { exempt } = await coverage(server, { mesh: test, self: id('orders'), address: ordersAddress });
    expect(exempt).toEqual([]);
  });
});
