import { once } from 'node:events';
import { type ServiceError, status } from '@grpc/grpc-js';
import { type Mesh, refusalOf, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { shop as services } from '@tokenmesh/proto/shop';
import { address, type Shop, spiffeId, startShop } from '@tokenmesh/shop/demo';
import { afterEach, describe, expect, it } from 'vitest';
import { tokensIn } from './tokens-in.ts';

let shop: Shop;

afterEach(async () => {
  const printed = shop.output();
  await shop.close();
  expect(tokensIn(printed)).toEqual([]);
});

const deadline = () => Date.now() + 5_000;

async function open() {
  const [customer, backoffice, operator] = (await Promise.all(['customer', 'backoffice', 'operator'].map((name) => shop.mesh(name)))) as [
    Mesh,
    Mesh,
    Mesh,
  ];
  const gateway = new services.Gateway(address(shop.gateway), customer.channelCredentials(), customer.client(spiffeId('gateway')));
  const payments = new services.Payments(address(shop.payments), backoffice.channelCredentials(), backoffice.client(spiffeId('payments')));
  const orders = new services.Orders(address(shop.orders), backoffice.channelCredentials(), backoffice.client(spiffeId('orders')));
  const admin = new tokenmesh.Admin(
    address(shop.tokenExchange),
    operator.channelCredentials(),
    operator.client(spiffeId('token-exchange')),
  );
  const place = () => unary(gateway, 'placeOrder', { item: 'tea', quantity: 1 }, { deadline: deadline() });
  const watch = payments.watchCharges({});
  watch.on('data', () => {});
  const watchEnded = once(watch, 'error').then(([error]) => error as ServiceError);
  await once(watch, 'metadata');
  await Promise.all([customer.ready(), backoffice.ready(), operator.ready()]);
  return { place, watchEnded, orders, admin, backoffice };
}

/** Repeats a call until it comes to what is expected; the test's own time limit ends it otherwise. */
async function until<T>(call: () => Promise<T>, holds: (result: T | ServiceError) => boolean): Promise<T | ServiceError> {
  for (;;) {
    const result = await call().catch((error: ServiceError) => error);
    if (holds(result)) return result;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the mesh goes on', () => {
  it('when token-exchange is killed after start-up, and finds it again', async () => {
    shop = await startShop({ nats: false });
    const { place, admin, watchEnded, orders } = await open();
    const { order_id } = await place();
    await shop.tokenExchange.kill();
    for (let i = 0; i < 20; i++) expect((await place()).order_id).not.toBe('');
    expect((await unary(orders, 'get', { order_id }, { deadline: deadline() }).catch((error) => error)).code).toBeUndefined();

    await shop.tokenExchange.start();
    await until(
      () => unary(admin, 'suspendWorkload', { client_id: spiffeId('backoffice') }, { deadline: deadline() }),
      (result) => !(result instanceof Error),
    );
    expect(refusalOf(await watchEnded)?.reason).toBe('TOKEN_REVOKED');
  });

  it.skipIf(!process.env.TOKENMESH_NATS_SERVER)('when NATS is killed, and is revocable through gRPC meanwhile', async () => {
    shop = await startShop();
    const { place, admin, watchEnded, backoffice } = await open();
    expect(shop.nats?.running).toBe(true);
    await place();
    await shop.nats?.kill();
    for (let i = 0; i < 20; i++) expect((await place()).order_id).not.toBe('');

    const { acknowledgement } = await unary(admin, 'suspendWorkload', { client_id: spiffeId('backoffice') }, { deadline: deadline() });
    expect(acknowledgement?.broadcast).toBe('BROADCAST_PENDING');
    const error = await watchEnded;
    expect(error.code).toBe(status.UNAUTHENTICATED);
    expect(refusalOf(error)?.reason).toBe('TOKEN_REVOKED');
    expect(backoffice.feed.freshness()).toMatchObject({ state: 'fresh' });

    await shop.nats?.start();
    await until(
      async () => backoffice.feed.freshness(),
      (freshness) => 'path' in freshness && freshness.path === 'nats' && freshness.state === 'fresh',
    );
    expect((await place()).order_id).not.toBe('');
  });
});
