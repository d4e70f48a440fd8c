import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type ServiceError, status } from '@grpc/grpc-js';
import { type Mesh, refusalOf, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { shop as services } from '@tokenmesh/proto/shop';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { spiffeId } from './configuration.ts';
import { type Shop, startShop } from './launch.ts';
import { address } from './services.ts';
import { verdict } from './verdict.ts';

let shop: Shop;
let tester: Mesh;
beforeAll(async () => {
  const from = spiffeId('tester');
  const all = { orders: ['orders.read', 'orders.write'], payments: ['payments.charge', 'payments.refund'], gateway: ['gateway.order'] };
  const grants = Object.entries(all).map(([to, scopes]) => ({ from, to: spiffeId(to), scopes, delegation: false }) as const);
  shop = await startShop({ nats: false, workloads: ['tester'], grants });
  tester = await shop.mesh('tester');
});
afterAll(() => shop?.close());

const ordersClient = () => new services.Orders(address(shop.orders), tester.channelCredentials(), tester.client(spiffeId('orders')));
const paymentsClient = () =>
  new services.Payments(address(shop.payments), tester.channelCredentials(), tester.client(spiffeId('payments')));
const gatewayClient = () => new services.Gateway(address(shop.gateway), tester.channelCredentials(), tester.client(spiffeId('gateway')));

test('an order is paid for on behalf of whoever placed it, through every hop', async () => {
  const { order_id, charge_id, chain } = await unary(gatewayClient(), 'placeOrder', { item: 'tea', quantity: 2 });
  expect(chain).toEqual(['tester', 'orders', 'gateway'].map(spiffeId));
  const { order } = await unary(ordersClient(), 'get', { order_id });
  expect(order).toEqual({ order_id, charge_id, item: 'tea', quantity: 2 });
});

test('an upload counts the orders that it made', async () => {
  const created = await new Promise((resolve, reject) => {
    const upload = ordersClient().upload((error, response) => (error ? reject(error) : resolve(response?.created)));
    for (const item of ['tea', 'cups', 'milk']) upload.write({ item, quantity: 1 });
    upload.end();
  });
  expect(created).toBe(3);
});

test('tracking answers each question, also for an order that is not there, and ends with the questions', async () => {
  const { order } = await unary(ordersClient(), 'create', { item: 'tea', quantity: 1 });
  const track = ordersClient().track();
  const answers: unknown[] = [];
  track.on('data', (answer) => answers.push(answer.order?.item));
  track.write({ order_id: order?.order_id ?? '' });
  track.write({ order_id: 'none' });
  track.end();
  await once(track, 'end');
  expect(answers).toEqual(['tea', undefined]);
});

test('a charge can be refunded once', async () => {
  const payments = paymentsClient();
  const { charge_id } = await unary(payments, 'charge', { order_id: 'any', amount_cents: 5 });
  expect(await verdict(unary(payments, 'refund', { charge_id }))).toBe('OK');
  expect(await verdict(unary(payments, 'refund', { charge_id }))).toBe('NOT_FOUND');
});

test('a bad order is refused as such through every hop', async () => {
  const failed: ServiceError = await unary(gatewayClient(), 'placeOrder', { item: 'tea', quantity: 0 }).catch((error) => error);
  expect(failed).toMatchObject({ code: status.INVALID_ARGUMENT, details: 'an order needs an item and a quantity' });
});

test('a killed service starts again where it was, and is found again', async () => {
  const { port } = shop.payments;
  await shop.payments.kill();
  await shop.payments.start();
  await shop.payments.ready();
  expect(shop.payments.port).toBe(port);
  expect(await verdict(unary(gatewayClient(), 'placeOrder', { item: 'tea', quantity: 1 }, { deadline: Date.now() + 20_000 }))).toBe('OK');
});

test('a refusal further down is not passed on as one of the caller’s own token', async () => {
  const operator = await shop.mesh('operator');
  const admin = new tokenmesh.Admin(
    address(shop.tokenExchange),
    operator.channelCredentials(),
    operator.client(spiffeId('token-exchange')),
  );
  await unary(admin, 'suspendWorkload', { client_id: spiffeId('orders'), request_id: 'once' });
  const failed: ServiceError = await unary(gatewayClient(), 'placeOrder', { item: 'tea', quantity: 1 }).catch((error) => error);
  expect(failed.code).toBe(status.FAILED_PRECONDITION);
  expect(failed.details).toMatch(/^refused further down: (CLIENT_NOT_ALLOWED|TOKEN_REVOKED)$/);
  expect(refusalOf(failed)).toBeUndefined();
});

test('closing ends every process and removes the directory', async () => {
  await shop.close();
  expect(shop.processes.map(({ running }) => running)).toEqual([false, false, false, false]);
  expect(existsSync(shop.directory)).toBe(false);
});
