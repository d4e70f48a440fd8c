import { randomUUID } from 'node:crypto';
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
  /** Opens a live stream; what it ends with. */
  const watch = async () => {
    const stream = payments.watchCharges({});
    stream.on('data', () => {});
    const ended = once(stream, 'error').then(([error]) => error as ServiceError);
    await once(stream, 'metadata');
    return { ended };
  };
  const { ended: watchEnded } = await watch();
  await Promise.all([customer.ready(), backoffice.ready(), operator.ready()]);
  return { place, watch, watchEnded, orders, admin, backoffice };
}

/** Resolves when the mesh has dropped the token that it held for this audience. */
async function evicted(mesh: Mesh, audience: string): Promise<void> {
  for await (const change of mesh.status()) {
    if (change.type === 'token' && change.change === 'evicted' && change.audience === audience) return;
  }
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

  it.skipIf(!process.env.TOKENMESH_NATS_SERVER)('when NATS is killed, and revokes over gRPC meanwhile and over NATS again', async () => {
    shop = await startShop();
    const { place, watch, watchEnded, admin, backoffice, orders } = await open();
    const { order_id } = await place();
    const get = () => unary(orders, 'get', { order_id }, { deadline: deadline() });
    await get();
    expect(shop.nats?.running).toBe(true);
    await shop.nats?.kill();
    for (let i = 0; i < 20; i++) expect((await place()).order_id).not.toBe('');

    // over gRPC: the live stream ends, the tokens that the workload holds are dropped, and it gets no others
    const suspended = evicted(backoffice, spiffeId('orders'));
    const client_id = spiffeId('backoffice');
    const { acknowledgement } = await unary(admin, 'suspendWorkload', { client_id }, { deadline: deadline() });
    expect(acknowledgement?.broadcast).toBe('BROADCAST_PENDING');
    const error = await watchEnded;
    expect(error.code).toBe(status.UNAUTHENTICATED);
    expect(refusalOf(error)?.reason).toBe('TOKEN_REVOKED');
    await suspended;
    const reasonOf = (refused: ServiceError) => refusalOf(refused)?.reason;
    expect(await get().then(() => 'answered', reasonOf)).toBe('CLIENT_NOT_ALLOWED');
    expect(backoffice.feed.freshness()).toMatchObject({ state: 'fresh', n: acknowledgement?.n });

    // over NATS again: a stream that was opened meanwhile ends, and the next call has another token
    await unary(admin, 'resumeWorkload', { client_id }, { deadline: deadline() });
    await until(get, (result) => !(result instanceof Error));
    await shop.nats?.start();
    await until(
      async () => backoffice.feed.freshness(),
      (freshness) => 'path' in freshness && freshness.path === 'nats' && freshness.state === 'fresh',
    );
    const [{ ended }, revoked] = [await watch(), evicted(backoffice, spiffeId('orders'))];
    const targets = [{ kind: 'client', value: client_id }];
    const again = await unary(admin, 'addRevocation', { targets, request_id: randomUUID() }, { deadline: deadline() });
    expect(again.acknowledgement?.broadcast).toBe('BROADCAST_SENT');
    expect(refusalOf(await ended)?.reason).toBe('TOKEN_REVOKED');
    await revoked;
    await get();
    expect(backoffice.feed.freshness()).toMatchObject({ state: 'fresh', path: 'nats', n: again.acknowledgement?.n });
    expect((await place()).order_id).not.toBe('');
  });
});
