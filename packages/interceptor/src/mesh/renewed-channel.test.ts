import { once } from 'node:events';
import { Channel, type ChannelInterface, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { type OrdersHandlers, shop } from '@tokenmesh/proto/shop';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unary } from '../outgoing/unary.ts';
import { createRenewedChannel } from './renewed-channel.ts';

let server: Server;
let client: InstanceType<typeof shop.Orders>;
let peers: string[];
let closed: ChannelInterface[];
let closedOne: PromiseWithResolvers<void>;
let renew: (() => void) | undefined;

const handlers: OrdersHandlers = {
  Create(call, callback) {
    peers.push(call.getPeer());
    callback(null, {});
  },
  Get: (_, callback) => callback(null, {}),
  Upload: (_, callback) => callback(null, {}),
  Track(call) {
    peers.push(call.getPeer());
    call.on('data', ({ order_id }) => call.write({ order: { order_id } }));
    call.on('end', () => call.end());
  },
};

beforeEach(async () => {
  peers = [];
  closed = [];
  closedOne = Promise.withResolvers();
  server = new Server();
  server.addService(shop.Orders.service, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const channelOverride = createRenewedChannel({
    open() {
      const channel = new Channel(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
      const close = channel.close.bind(channel);
      channel.close = () => {
        close();
        closed.push(channel);
        closedOne.resolve();
      };
      return channel;
    },
    onRenewed(listener) {
      renew = listener;
      return () => {
        renew = undefined;
      };
    },
    graceMs: 1,
  });
  client = new shop.Orders('unused', credentials.createInsecure(), { channelOverride });
});

afterEach(() => {
  client.close();
  server.forceShutdown();
});

describe('createRenewedChannel', () => {
  it('makes new calls over a new connection, and keeps a live stream after the old channel was closed', async () => {
    const stream = client.track();
    const echo = async (order_id: string) => {
      const answer = once(stream, 'data');
      stream.write({ order_id });
      return (await answer)[0].order.order_id;
    };
    await echo('before');
    await unary(client, 'create', {});
    renew?.();
    await unary(client, 'create', {});
    await closedOne.promise;
    expect(await echo('after')).toBe('after');
    const end = once(stream, 'status');
    stream.end();
    stream.resume();
    expect((await end)[0].code).toBe(0);
    expect(peers[1]).toBe(peers[0]);
    expect(peers[2]).not.toBe(peers[0]);
  });

  it('closes every channel that it has when it is closed, and is renewed no more', async () => {
    await unary(client, 'create', {});
    renew?.();
    client.close();
    expect(closed).toHaveLength(2);
    expect(renew).toBeUndefined();
    expect(() => client.getChannel().createCall('/x', Number.POSITIVE_INFINITY, null, null, null)).toThrow();
  });
});
