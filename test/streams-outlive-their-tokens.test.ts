import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { ClientDuplexStream, ClientOptions, ServiceError } from '@grpc/grpc-js';
import { createMesh, type Mesh, refusalOf, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { shop as services } from '@tokenmesh/proto/shop';
import { address, meshOptions, type Shop, spiffeId, startShop } from '@tokenmesh/shop/demo';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const grant = { from: spiffeId('backoffice'), max_life: '10s', delegation: false } as const;

let shop: Shop;
let backoffice: Mesh;
let operator: Mesh;

beforeAll(async () => {
  shop = await startShop({
    nats: false,
    tokens: { life: '10s', ceiling: '15m' }, // those for the feed as well
    grants: [
      { ...grant, to: spiffeId('orders'), scopes: ['orders.read'] },
      { ...grant, to: spiffeId('payments'), scopes: ['payments.watch'] },
    ],
  });
  backoffice = await createMesh(meshOptions(shop.environment('backoffice')));
  operator = await createMesh(meshOptions(shop.environment('operator')));
});

afterAll(async () => {
  await Promise.all([backoffice.close(), operator.close()]);
  await shop.close();
});

type Track = ClientDuplexStream<object, object>;

/** How a stream ended; a promise that only its end settles. */
const endOf = (stream: { once(event: 'error', listener: (error: ServiceError) => void): unknown }) =>
  new Promise<string | undefined>((resolve) => stream.once('error', (error) => resolve(refusalOf(error)?.reason)));

async function echoes(track: Track): Promise<void> {
  const answered = once(track, 'data');
  track.write({ order_id: 'o' });
  await answered;
}

describe('streams between real processes', () => {
  it('outlive the tokens that they were opened with, the feed among them, and still end when these are taken back', async () => {
    const interrupted: string[] = [];
    void (async () => {
      for await (const change of backoffice.status()) {
        if (change.type === 'feed' && change.status.type === 'path' && change.status.event === 'down') interrupted.push(change.status.path);
      }
    })();
    await backoffice.ready();
    const connect = (options: ClientOptions) => new services.Orders(address(shop.orders), backoffice.channelCredentials(), options);
    const orders = connect(backoffice.client(spiffeId('orders')));
    const payments = new services.Payments(
      address(shop.payments),
      backoffice.channelCredentials(),
      backoffice.client(spiffeId('payments')),
    );
    // the same client, but for what renews
    const unrenewing = connect({ ...backoffice.client(spiffeId('orders')), callInvocationTransformer: (call) => call });

    const track = orders.track();
    const watch = payments.watchCharges({});
    watch.resume();
    const ends: (string | undefined)[] = [];
    const ended = Promise.all([track, watch].map((stream) => endOf(stream).then((reason) => ends.push(reason))));
    for (let token = 1; token <= 2; token++) {
      const unrenewed = unrenewing.track();
      const unrenewedEnds = endOf(unrenewed);
      await echoes(unrenewed);
      await echoes(track);
      expect(await unrenewedEnds).toBe('TOKEN_EXPIRED');
      await echoes(track);
      expect(ends).toEqual([]);
    }
    expect(interrupted).toEqual([]);
    expect(backoffice.feed.freshness()).toMatchObject({ state: 'fresh', path: 'grpc' });

    const admin = new tokenmesh.Admin(
      address(shop.tokenExchange),
      operator.channelCredentials(),
      operator.client(spiffeId('token-exchange')),
    );
    await unary(admin, 'suspendWorkload', { client_id: spiffeId('backoffice'), request_id: randomUUID() });
    await ended;
    expect(ends).toEqual(['TOKEN_REVOKED', 'TOKEN_REVOKED']);
    for (const client of [orders, payments, unrenewing, admin]) client.close();
  }, 90_000);
});
