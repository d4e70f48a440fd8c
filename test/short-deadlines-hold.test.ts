import { status } from '@grpc/grpc-js';
import { createMesh, type Mesh, unary } from '@tokenmesh/interceptor';
import { shop as services } from '@tokenmesh/proto/shop';
import { address, meshOptions, type Shop, spiffeId, startShop } from '@tokenmesh/shop/demo';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let shop: Shop;
let mesh: Mesh;

beforeAll(async () => {
  shop = await startShop({ nats: false });
  // token-exchange takes connections and answers nothing, as under a paused or overloaded machine
  process.kill(shop.tokenExchange.pid, 'SIGSTOP');
  mesh = await createMesh(meshOptions(shop.environment('backoffice')));
});

afterAll(async () => {
  process.kill(shop.tokenExchange.pid, 'SIGCONT');
  await mesh.close();
  await shop.close();
});

const deadlineMs = 400;
const deadline = () => Date.now() + deadlineMs;

const kinds: Record<string, () => Promise<status>> = {
  unary: () =>
    unary(orders(), 'get', { order_id: 'o' }, { deadline: deadline() }).then(
      () => status.OK,
      (error) => error.code,
    ),
  'client stream': () =>
    new Promise((resolve) => {
      const call = orders().upload({ deadline: deadline() }, (error) => resolve(error?.code ?? status.OK));
      call.on('error', () => {}); // the callback has it
      call.write({ item: 'tea', quantity: 1 });
      call.end();
    }),
  'server stream': () =>
    new Promise((resolve) => {
      const call = payments().watchCharges({}, { deadline: deadline() });
      call.on('error', (error: Error & { code: status }) => resolve(error.code)).resume();
    }),
  'bidi stream': () =>
    new Promise((resolve) => {
      const call = orders().track({ deadline: deadline() });
      call.on('error', (error: Error & { code: status }) => resolve(error.code)).resume();
      call.write({ order_id: 'o' });
    }),
};

const orders = () => new services.Orders(address(shop.orders), mesh.channelCredentials(), mesh.client(spiffeId('orders')));
const payments = () => new services.Payments(address(shop.payments), mesh.channelCredentials(), mesh.client(spiffeId('payments')));

describe.each(Object.keys(kinds))('a %s call whose deadline is shorter than the answer of token-exchange', (kind) => {
  it('ends DEADLINE_EXCEEDED when it passes, and does not hang', async () => {
    const startedAt = performance.now();
    const code = await (kinds[kind] as () => Promise<status>)();
    expect(code).toBe(status.DEADLINE_EXCEEDED);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(deadlineMs - 5);
  });
});
