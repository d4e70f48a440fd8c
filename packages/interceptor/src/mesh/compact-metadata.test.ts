import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import {
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceError,
} from '@grpc/grpc-js';
import { type OrdersHandlers, type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { credentialKeys } from '../incoming/bearer.ts';
import { refusalOf, unary } from '../index.ts';
import { refusalStatus } from '../status.ts';
import { type TestMesh, type TestMeshForOptions, testMesh } from '../testing/index.ts';

const [gateway, orders] = ['spiffe://shop.test/gateway', 'spiffe://shop.test/orders'];

let test: TestMesh;
let server: Server;
let address: string;
let closings: (() => unknown)[];
/** What every attempt brought, in order: the keys of its credential, and its value. */
let brought: { readonly method: string; readonly keys: readonly string[]; readonly value: string }[];
/** Whether the first attempt is refused for a cause that another token cures. */
let refuseFirst: boolean;
/** Keys of credentials that handlers saw. */
let seen: string[];

const presentIn = (metadata: Metadata) => credentialKeys.filter((key) => metadata.get(key).length > 0);

const noting: ServerInterceptor = ({ path }, call) => {
  const intercepting = new ServerInterceptingCall(call, {
    start(next) {
      next({
        onReceiveMetadata(metadata, nextMetadata) {
          const keys = presentIn(metadata);
          brought.push({ method: path.slice(path.lastIndexOf('/') + 1), keys, value: keys.flatMap((key) => metadata.get(key)).join() });
          if (refuseFirst && brought.length === 1) intercepting.sendStatus(refusalStatus('TOKEN_REVOKED', { admitted: 'false' }));
          else nextMetadata(metadata);
        },
      });
    },
  });
  return intercepting;
};

beforeEach(async () => {
  [closings, brought, seen, refuseFirst] = [[], [], [], false];
  test = testMesh({ trustDomain: 'shop.test' });
  const serving = await test.meshFor(orders);
  server = new Server({ interceptors: [noting, ...serving.server(shopPackage)] });
  const enter = ({ metadata }: { readonly metadata: Metadata }) =>
    seen.push(...presentIn(metadata), ...metadata.get('dpop').map(() => 'dpop'));
  server.addService(shop.Orders.service, {
    Create(call, callback) {
      enter(call);
      callback(null, {});
    },
    Get: (_, callback) => callback(null, {}),
    Upload(call, callback) {
      enter(call);
      call.on('end', () => callback(null, {})).resume();
    },
    Track(call) {
      enter(call);
      call.sendMetadata(new Metadata());
      call.on('end', () => call.end()).resume();
    },
  } satisfies OrdersHandlers);
  server.addService(shop.Payments.service, {
    Charge: (_, callback) => callback(null, {}),
    Refund: (_, callback) => callback(null, {}),
    WatchCharges(call) {
      enter(call);
      call.end();
    },
  } satisfies PaymentsHandlers);
  server.addService(...serving.streamCredential());
  address = await listen(server);
});

async function listen(started: Server): Promise<string> {
  const port = await new Promise<number>((resolve, reject) => {
    started.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return `127.0.0.1:${port}`;
}

afterEach(async () => {
  for (const close of closings) close();
  server.forceShutdown();
  await test.close();
});

async function clientsOf(options: TestMeshForOptions, to = address) {
  const mesh = await test.meshFor(gateway, options);
  const clientOptions = mesh.client(orders);
  const clients = {
    orders: new shop.Orders(to, mesh.channelCredentials(), clientOptions),
    payments: new shop.Payments(to, mesh.channelCredentials(), clientOptions),
  };
  closings.push(() => clients.orders.close());
  closings.push(() => clients.payments.close());
  await mesh.ready();
  return clients;
}

type Clients = Awaited<ReturnType<typeof clientsOf>>;

const kinds: Readonly<Record<string, (clients: Clients) => Promise<unknown>>> = {
  unary: ({ orders: client }) => unary(client, 'create', {}),
  'client stream'({ orders: client }) {
    const answered = Promise.withResolvers<unknown>();
    client.upload((error, response) => (error ? answered.reject(error) : answered.resolve(response))).end();
    return answered.promise;
  },
  'server stream': ({ payments: client }) => once(client.watchCharges({}).resume(), 'end'),
  'bidi stream'({ orders: client }) {
    const call = client.track();
    call.end();
    return once(call.resume(), 'end');
  },
};

describe.each(Object.entries(kinds))('a %s call', (_, call) => {
  it.each<[string, TestMeshForOptions, string, string]>([
    ['under the compact key', { compactMetadata: true }, 'tokenmesh-token', 'Bearer'],
    ['as ever by default', {}, 'authorization', 'Bearer'],
    ['under the compact key with its proof', { compactMetadata: true, dpop: true }, 'tokenmesh-token', 'DPoP'],
  ])('carries its token %s, and nothing of it reaches the handler', async (_, options, key, scheme) => {
    await call(await clientsOf(options));
    expect(brought).toMatchObject([{ keys: [key], value: expect.stringMatching(new RegExp(`^${scheme} eyJ`)) }]);
    expect(seen).toEqual([]);
  });
});

describe('under the compact key', () => {
  /** A call as anybody could make it. */
  function callWith(metadata: Metadata): Promise<unknown> {
    const client = new shop.Orders(address, credentials.createInsecure());
    closings.push(() => client.close());
    return unary(client, 'create', {}, { metadata });
  }

  const token = (opaque = false) => test.token({ as: gateway, for: orders, opaque });

  function compact(...values: string[]): Metadata {
    const metadata = new Metadata();
    for (const value of values) metadata.add('tokenmesh-token', value);
    return metadata;
  }

  async function reasonOf(metadata: Metadata): Promise<unknown> {
    const error = await callWith(metadata).catch((caught: ServiceError) => caught);
    return refusalOf(error as ServiceError)?.reason;
  }

  it('a token that only token-exchange can read is taken as well', async () => {
    await callWith(compact(`Bearer ${token(true)}`));
    expect(seen).toEqual([]);
  });

  it('T-40: a second credential under the other key is one too many, the same one too', async () => {
    const value = `Bearer ${token()}`;
    const both = compact(value);
    both.set('authorization', value);
    expect(await reasonOf(both)).toBe('CREDENTIAL_AMBIGUOUS');
    both.set('authorization', '');
    expect(await reasonOf(both)).toBe('CREDENTIAL_AMBIGUOUS');
  });

  it.each<[string, (good: string) => string[]]>([
    ['two values', (good) => [`Bearer ${good}`, `Bearer ${good}`]],
    ['two in one value', (good) => [`Bearer ${good}, Bearer ${good}`]],
    ['no scheme', (good) => [good]],
    ['another scheme', (good) => [`Basic ${good}`]],
    ['nothing', () => ['']],
    ['8 193 bytes', (good) => [`Bearer ${good}`.padEnd(8_193, 'x')]],
  ])('T-40: %s are refused as under the usual one', async (_, values) => {
    expect(await reasonOf(compact(...values(token())))).toBe('CREDENTIAL_AMBIGUOUS');
  });

  it('every kind of bad token is refused for the same reason as under the usual one', async () => {
    const bad = test.badTokens({ as: gateway, for: orders });
    for (const { reason, authorization, kind } of bad) expect([kind, await reasonOf(compact(authorization))]).toEqual([kind, reason]);
  });

  it('a call that was refused is made again with another token', async () => {
    refuseFirst = true;
    const { orders: client } = await clientsOf({ compactMetadata: true });
    await unary(client, 'create', {});
    expect(brought.map(({ keys }) => keys)).toEqual([['tokenmesh-token'], ['tokenmesh-token']]);
    expect(brought[0]?.value).not.toBe(brought[1]?.value);
  });

  it('a call may not bring one of its own', async () => {
    for (const key of credentialKeys) {
      const { orders: client } = await clientsOf({ compactMetadata: true });
      const metadata = compact();
      metadata.set(key, 'Bearer own');
      const error = await unary(client, 'create', {}, { metadata }).catch((caught: ServiceError) => caught);
      expect(refusalOf(error as ServiceError)?.reason).toBe('CREDENTIAL_AMBIGUOUS');
    }
    expect(brought).toEqual([]);
  });

  it('a live stream is renewed', async () => {
    const { orders: client } = await clientsOf({ compactMetadata: true });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const call = client.track();
      call.write({ order_id: '1' });
      await once(call, 'metadata');
      await test.advance(170_000); // beyond the half of its token's life, whatever the spread
      await vi.advanceTimersByTimeAsync(170_000);
      // what was found held by then is replaced in the background, and looked for again a second later
      while (brought.length < 2) {
        await vi.advanceTimersByTimeAsync(100);
        await turn();
      }
      call.end();
      await once(call.resume(), 'end');
    } finally {
      vi.useRealTimers();
    }
    // a renewal that the stream's end overtakes is tried again
    expect(brought.slice(0, 2).map(({ method, keys }) => [method, ...keys])).toEqual([
      ['Track', 'tokenmesh-token'],
      ['Renew', 'tokenmesh-token'],
    ]);
  });
});

describe('HTTP/2', () => {
  it('sends a token whole on every call, and under the compact key a byte or two instead', async () => {
    const bare = new Server();
    const create: OrdersHandlers['Create'] = (_, callback) => callback(null, {});
    bare.addService(shop.Orders.service, { Create: create });
    const to = await listen(bare);
    closings.push(() => bare.forceShutdown());
    const sockets: Socket[] = [];
    // the cast holds: that is what the channel carries
    const note = (message: unknown) => sockets.push((message as { readonly socket: Socket }).socket);
    subscribe('net.client.socket', note);
    closings.push(() => unsubscribe('net.client.socket', note));
    const count = 20;

    /** What a connection of its own sends for so many calls after the first ones. */
    async function bytesOf(client: Clients['orders']): Promise<number> {
      const calls = async () => {
        for (let call = 0; call < count; call++) await unary(client, 'create', {});
      };
      await calls();
      const sent = () => sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
      const before = sent();
      await calls();
      return sent() - before;
    }

    const plain = new shop.Orders(to, credentials.createInsecure());
    closings.push(() => plain.close());
    const without = await bytesOf(plain);
    const whole = await bytesOf((await clientsOf({}, to)).orders);
    const compact = await bytesOf((await clientsOf({ compactMetadata: true }, to)).orders);
    expect(whole - without).toBeGreaterThan(count * 300);
    expect(compact - without).toBeGreaterThanOrEqual(count);
    expect(compact - without).toBeLessThanOrEqual(count * 2);
  });
});
