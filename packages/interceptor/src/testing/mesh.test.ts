import { once } from 'node:events';
import { credentials, Server, type ServerWritableStream } from '@grpc/grpc-js';
import { type GatewayHandlers, type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { createTestAuthority } from '@tokenmesh/token/test-certificate';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Caller, callerOf, type Mesh, unary } from '../index.ts';
import { authorizationOf } from './bad-tokens.ts';
import { matchers, type RefusalMatchers, type TestMesh, type TestMeshForOptions, type TestMeshOptions, testMesh } from './index.ts';

declare module 'vitest' {
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown> extends RefusalMatchers {}
}
expect.extend(matchers);

const [gateway, orders, payments] = ['spiffe://shop.test/gateway', 'spiffe://shop.test/orders', 'spiffe://shop.test/payments'];
const bearer = (token: string) => authorizationOf(`Bearer ${token}`);
const request = { order_id: 'o1', amount_cents: 1 };

let test: TestMesh;
let closings: (() => unknown)[];
let callers: Caller[];
let watchers: ServerWritableStream<object, object>[];

function open(options: TestMeshOptions = {}): TestMesh {
  test = testMesh({ trustDomain: 'shop.test', ...options });
  closings.push(test.close);
  return test;
}

beforeEach(() => {
  [closings, callers, watchers] = [[], [], []];
  open();
});

afterEach(async () => {
  for (const close of closings.reverse()) await close();
});

/** Payments on a real server, whose handler notes its caller. */
async function servePayments(options: TestMeshForOptions = {}): Promise<{ readonly mesh: Mesh; readonly address: string }> {
  const mesh = await test.meshFor(payments, options);
  const server = new Server({ interceptors: mesh.server(shopPackage) });
  server.addService(shop.Payments.service, {
    Charge(call, callback) {
      callers.push(callerOf(call));
      callback(null, {});
    },
    Refund: (_, callback) => callback(null, {}),
    WatchCharges(call) {
      watchers.push(call);
      call.write({ charge_id: 'c1' });
    },
  } satisfies PaymentsHandlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', mesh.serverCredentials(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  closings.push(() => server.forceShutdown());
  return { mesh, address: `127.0.0.1:${port}` };
}

function clientOf(mesh: Mesh, address: string) {
  const client = new shop.Payments(address, mesh.channelCredentials(), mesh.client(payments));
  closings.push(() => client.close());
  return client;
}

async function callPayments(options: TestMeshForOptions = {}) {
  const served = await servePayments(options);
  const caller = await test.meshFor(gateway, options);
  return { ...served, caller, client: clientOf(caller, served.address) };
}

describe('testMesh', () => {
  it('lets a service call another with real tokens, and tells what was exchanged', async () => {
    const { caller, client } = await callPayments();
    await unary(client, 'charge', request);
    await unary(client, 'charge', request);
    expect(callers[0]).toMatchObject({ sub: gateway, clientId: gateway, act: [], stale: false });
    expect(callers[0]?.scope).toEqual(expect.arrayContaining(['payments.charge', 'payments.refund']));
    expect(test.exchanges).toEqual([{ by: gateway, audience: payments, outcome: 'issued', jti: callers[0]?.jti }]);
    expect(caller.describe()).toMatchObject({ self: gateway, issuers: [{ issuer: 'https://token-exchange.shop.test' }] });
    await caller.ready();
  });

  it('gives a mesh that is ready to verify', async () => {
    const mesh = await test.meshFor(payments);
    expect(mesh.describe().issuers).toMatchObject([{ kids: [expect.any(String)], revocations: { state: 'fresh' } }]);
  });

  it('acts on behalf of a caller, whose chain and end the new token keeps', async () => {
    const { address } = await servePayments();
    const middle = await test.meshFor(orders);
    const server = new Server({ interceptors: middle.server(shopPackage) });
    const onward = clientOf(middle, address);
    server.addService(shop.Gateway.service, {
      PlaceOrder(call, callback) {
        unary(onward, 'charge', request, { onBehalfOf: callerOf(call) }).then(() => callback(null, {}), callback);
      },
    } satisfies GatewayHandlers);
    const port = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', middle.serverCredentials(), (_, bound) => resolve(bound));
    });
    closings.push(() => server.forceShutdown());
    const caller = await test.meshFor(gateway);
    const client = new shop.Gateway(`127.0.0.1:${port}`, caller.channelCredentials(), caller.client(orders));
    closings.push(() => client.close());
    await unary(client, 'placeOrder', { item: 'book', quantity: 1 });
    const first = test.exchanges.find(({ by }) => by === gateway);
    expect(callers).toEqual([expect.objectContaining({ sub: gateway, clientId: orders, act: [orders] })]);
    expect(test.exchanges).toContainEqual({
      by: orders,
      audience: payments,
      onBehalfOf: first?.jti,
      outcome: 'issued',
      jti: callers[0]?.jti,
    });
  });

  it('takes calls with a token that a test made, signed or opaque', async () => {
    const { address } = await servePayments();
    const client = new shop.Payments(address, credentials.createInsecure());
    closings.push(() => client.close());
    const charge = (token: string) =>
      new Promise((resolve, reject) => client.charge(request, bearer(token), (error) => (error ? reject(error) : resolve(undefined))));
    const sub = 'somebody';
    await charge(test.token({ as: gateway, for: payments, scope: 'payments.charge', sub, act: [gateway, orders], txn: 't1' }));
    await charge(test.token({ as: gateway, for: payments, scope: 'payments.charge', opaque: true }));
    expect(callers).toMatchObject([{ sub, clientId: gateway, act: [gateway, orders], txn: 't1' }, { sub: gateway }]);
    await expect(charge(test.token({ as: gateway, for: payments, scope: 'payments.refund' }))).toBeRefused('SCOPE_INSUFFICIENT');
    await expect(charge(test.token({ as: gateway, for: orders }))).toBeRefused('AUDIENCE_MISMATCH');
  });

  it('has a revocation in force when revoke returns, and what is issued afterwards works', async () => {
    const { client } = await callPayments();
    const token = test.token({ as: gateway, for: payments });
    const bare = new shop.Payments(client.getChannel().getTarget(), credentials.createInsecure());
    closings.push(() => bare.close());
    const charge = (compact: string) =>
      new Promise((resolve, reject) => bare.charge(request, bearer(compact), (error) => (error ? reject(error) : resolve(undefined))));
    await charge(token);
    test.revoke(token);
    await expect(charge(token)).toBeRefused('TOKEN_REVOKED');
    const other = test.token({ as: gateway, for: payments });
    await charge(other);
    test.revoke({ kind: 'client', value: gateway });
    await expect(charge(other)).toBeRefused('TOKEN_REVOKED');
    await unary(client, 'charge', request); // with a token obtained since
    expect(() => test.revoke('tm_opaque')).toThrow(TypeError);
  });

  it('ends a live stream when its token is revoked, and when the clock passes its end', async () => {
    const { address } = await servePayments();
    const client = new shop.Payments(address, credentials.createInsecure());
    closings.push(() => client.close());
    const watch = async (token: string) => {
      const call = client.watchCharges({}, bearer(token));
      await once(call, 'data');
      return call;
    };
    const token = test.token({ as: gateway, for: payments, lifeSeconds: 60 });
    const revoked = await watch(token);
    const expired = await watch(test.token({ as: gateway, for: payments, lifeSeconds: 60 }));
    test.revoke(token);
    await expect(revoked).toBeRefused('TOKEN_REVOKED');
    const ended = expect(expired).toBeRefused('TOKEN_EXPIRED');
    await test.advance(60_000);
    await ended;
    expect(watchers.every(({ cancelled }) => cancelled)).toBe(true);
  });

  it('replaces tokens as the clock moves', async () => {
    const { client } = await callPayments();
    await unary(client, 'charge', request);
    await test.advance(165_000);
    await unary(client, 'charge', request);
    await expect.poll(() => test.exchanges).toHaveLength(2);
    await test.advance(135_001);
    await unary(client, 'charge', request);
    expect(new Set(callers.map(({ jti }) => jti)).size).toBe(2);
    await expect(test.advance(-1)).rejects.toThrow(TypeError);
  });

  it('fails calls that need a token while the exchange is down, and goes on with tokens that are held', async () => {
    const { client, caller, address } = await callPayments();
    await unary(client, 'charge', request);
    test.exchangeDown();
    await unary(client, 'charge', request);
    const late = new shop.Payments(address, caller.channelCredentials(), caller.client(orders));
    closings.push(() => late.close());
    await expect(unary(late, 'charge', request)).rejects.toMatchObject({ code: 14 });
    expect(test.exchanges.at(-1)).toEqual({ by: gateway, audience: orders, outcome: 'unavailable' });
    test.exchangeUp();
    await test.advance(1_000);
    await expect(unary(late, 'charge', request)).toBeRefused('AUDIENCE_MISMATCH');
    expect(test.exchanges.at(-1)).toMatchObject({ audience: orders, outcome: 'issued' });
  });

  it('comes up without keys while the exchange is down, and cannot verify then', async () => {
    test.exchangeDown();
    const { address } = await servePayments();
    const client = new shop.Payments(address, credentials.createInsecure());
    closings.push(() => client.close());
    const call = client.watchCharges({}, bearer(test.token({ as: gateway, for: payments, scope: 'payments.watch' })));
    await expect(call).toBeRefused('KEYS_UNAVAILABLE');
  });

  it('makes verifiers stale while the feed is down, and what they missed counts when it is up', async () => {
    const { client, mesh } = await callPayments();
    test.feedDown();
    test.revoke({ kind: 'client', value: gateway });
    await unary(client, 'charge', request); // nobody knows
    await test.advance(5_001);
    expect(mesh.feed.freshness()).toMatchObject({ state: 'stale' });
    await unary(client, 'charge', request);
    expect(callers.at(-1)).toMatchObject({ stale: true });
    test.exchangeDown();
    await expect(unary(client, 'refund', { charge_id: 'c1' })).toBeRefused('REVOCATION_STALE'); // its class is critical
    test.exchangeUp();
    await test.feedUp();
    expect(mesh.feed.freshness()).toMatchObject({ state: 'fresh', n: 1 });
    const before = callers.at(-1)?.jti;
    await unary(client, 'charge', request);
    expect(callers.at(-1)).toMatchObject({ stale: false });
    expect(callers.at(-1)?.jti).not.toBe(before);
  });

  it('has what was missed in force when feedUp returns', async () => {
    const { mesh } = await servePayments();
    test.feedDown();
    test.revoke({ kind: 'client', value: gateway });
    expect(mesh.feed.set.size).toBe(0);
    await test.feedUp();
    expect(mesh.feed.set.size).toBe(1);
  });

  it('is reached by nobody while the feed is down from the start, and by everybody once it is up', async () => {
    test.feedDown();
    const { mesh } = await servePayments();
    expect(mesh.feed.freshness()).toEqual({ state: 'empty' });
    await test.feedUp();
    expect(mesh.feed.freshness()).toMatchObject({ state: 'fresh' });
  });

  it('rotates its key under calls, and refuses what a withdrawn one signed', async () => {
    const { client, mesh, address } = await callPayments();
    await unary(client, 'charge', request);
    const old = test.token({ as: gateway, for: payments });
    const bare = new shop.Payments(address, credentials.createInsecure());
    closings.push(() => bare.close());
    const watch = (token: string) => bare.watchCharges({}, bearer(token));
    await test.rotateKeys();
    const rotated = test.token({ as: gateway, for: payments });
    for (const token of [old, rotated]) {
      const call = watch(token);
      await once(call, 'data');
      call.cancel();
      await once(call, 'error');
    }
    expect(mesh.describe().issuers[0]?.kids).toHaveLength(2);
    await test.withdrawKey();
    await expect(watch(rotated)).toBeRefused('TOKEN_REVOKED');
    await unary(client, 'charge', request);
    expect(mesh.describe().issuers[0]?.kids).toHaveLength(2);
  });

  it('binds tokens to the key of a mesh that has one', async () => {
    const { client } = await callPayments({ dpop: true, proofs: { nonce: 'required' } });
    await unary(client, 'charge', request);
    await unary(client, 'charge', request);
    expect(callers).toHaveLength(2);
  });

  it('binds tokens to the certificate of a mesh that has one', async () => {
    const authority = createTestAuthority();
    const certificate = authority.issue([gateway]);
    const { client, caller } = await callPayments({ certificate, ca: authority.cert });
    await unary(client, 'charge', request);
    expect(caller.describe().binding.certificate).toBe(certificate.thumbprint);
    const unbound = new shop.Payments(
      client.getChannel().getTarget(),
      credentials.createSsl(authority.cert, certificate.key, certificate.cert),
    );
    closings.push(() => unbound.close());
    const call = unbound.watchCharges({}, bearer(test.token({ as: gateway, for: payments, cnf: { 'x5t#S256': 'A'.repeat(43) } })));
    await expect(call).toBeRefused('BINDING_MISMATCH');
  });

  it('grants what a test says, and nothing else', async () => {
    open({ grants: [{ from: gateway, to: payments, scope: 'payments.charge' }] });
    const { client, address, caller } = await callPayments();
    await caller.ready();
    await unary(client, 'charge', request);
    expect(callers[0]?.scope).toEqual(['payments.charge']);
    await expect(unary(client, 'refund', { charge_id: 'c1' })).toBeRefused('SCOPE_INSUFFICIENT');
    await expect(unary(client, 'charge', request, { scope: 'payments.refund' })).toBeRefused('SCOPE_REFUSED');
    const stranger = clientOf(await test.meshFor(orders), address);
    await expect(unary(stranger, 'charge', request)).toBeRefused('TARGET_REFUSED');
    expect(test.exchanges.map(({ outcome }) => outcome)).toEqual(expect.arrayContaining(['issued', 'SCOPE_REFUSED', 'TARGET_REFUSED']));
  });

  it('has the clock that it is given', async () => {
    open({ now: () => Date.UTC(2040, 0, 1) });
    const { client } = await callPayments();
    await unary(client, 'charge', request);
    await test.advance(1_000);
    expect(test.now()).toBe(Date.UTC(2040, 0, 1) + 1_000);
    expect(callers[0]?.exp).toBe(Date.UTC(2040, 0, 1) / 1000 + 300);
  });

  it("goes by vitest's clock where it is given that, once it was told that time went by", async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'setInterval'] });
    closings.push(() => vi.useRealTimers());
    open({ now: Date.now });
    const { client, mesh } = await callPayments();
    await unary(client, 'charge', request);
    vi.setSystemTime(Date.now() + 301_000);
    expect(mesh.feed.freshness()).toMatchObject({ state: 'stale' });
    await test.advance(0);
    expect(mesh.feed.freshness()).toMatchObject({ state: 'fresh' });
    vi.setSystemTime(Date.now() + 10_000);
    await test.meshFor(orders); // waits for a checkpoint, not for a timer
    expect(mesh.feed.freshness()).toMatchObject({ state: 'fresh' });
    await unary(client, 'charge', request);
    expect(test.exchanges).toHaveLength(2);
    expect(callers[1]?.exp).toBe(Math.floor(Date.now() / 1000) + 300);
  });

  it('refuses a workload of another trust domain', async () => {
    await expect(test.meshFor('spiffe://mesh.test/orders')).rejects.toThrow(TypeError);
    expect(() => testMesh({ trustDomain: 'Not One' })).toThrow(TypeError);
  });

  it('closes its meshes while nothing can be reached', async () => {
    test.feedDown();
    test.exchangeDown();
    const mesh = await test.meshFor(orders);
    const ready = expect(mesh.ready()).rejects.toThrow('the mesh was closed');
    await test.close();
    await ready;
  });

  it('is not held up by a mesh that was closed', async () => {
    const closed = await test.meshFor(orders);
    await closed.close();
    await test.advance(60_000);
    test.feedDown();
    await test.feedUp();
  });
});
