// Run by `node --test`: a user's tests without vitest.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { credentials, Server } from '@grpc/grpc-js';
import { callerOf, unary } from '@tokenmesh/interceptor';
import { assertRefused, coverage, refusal, testMesh } from '@tokenmesh/interceptor/testing';
import { type PaymentsClient, type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';

const [gateway, payments] = ['spiffe://mesh.test/gateway', 'spiffe://mesh.test/payments'];
const mesh = testMesh();
let server: Server;
let address: string;
let client: PaymentsClient;

before(async () => {
  const served = await mesh.meshFor(payments);
  server = new Server({ interceptors: served.server(shopPackage) });
  server.addService(shop.Payments.service, {
    Charge: (call, callback) => callback(null, { chain: [callerOf(call).sub] }),
    Refund: (_, callback) => callback(null, {}),
    WatchCharges: (call) => call.end(),
  } satisfies PaymentsHandlers);
  const port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', served.serverCredentials(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  address = `127.0.0.1:${port}`;
  const caller = await mesh.meshFor(gateway);
  client = new shop.Payments(address, caller.channelCredentials(), caller.client(payments));
});

after(async () => {
  client.close();
  server.forceShutdown();
  await mesh.close();
});

test('a call with a token gets in', async () => {
  assert.deepEqual((await unary(client, 'charge', { order_id: 'o1', amount_cents: 1 })).chain, [gateway]);
});

test('a call without the scope is refused', async () => {
  const call = unary(client, 'charge', { order_id: 'o1', amount_cents: 1 }, { scope: 'payments.refund' });
  await assertRefused(call, process.env.EXPECTED_REASON === 'wrong' ? 'TOKEN_EXPIRED' : 'SCOPE_INSUFFICIENT');
});

test('a stream with a bad token is refused', async () => {
  const bare = new shop.Payments(address, credentials.createInsecure());
  for (const bad of mesh.badTokens({ as: gateway, for: payments })) {
    assert.equal((await refusal(bare.watchCharges({}, bad.metadata()))).reason, bad.reason, bad.kind);
  }
  bare.close();
});

test('every method is covered', async () => {
  assert.deepEqual((await coverage(server, { mesh, self: payments, address })).exempt, []);
});
