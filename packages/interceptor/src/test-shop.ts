import { once } from 'node:events';
import {
  type ClientOptions,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerWritableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { type StreamCredentialClient, tokenmesh } from '@tokenmesh/proto';
import { type OrdersHandlers, type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { type ServerInterceptors, type ServerInterceptorsOptions, serverInterceptors } from './incoming/server-interceptor.ts';
import { orders as ordersId, type TestIssuer } from './test-issuer.ts';

/** The three kinds of stream, by the method of the shop that has it. */
export const streamKinds = ['Upload', 'WatchCharges', 'Track'] as const;
export type StreamKind = (typeof streamKinds)[number];

/** A stream that its client opened. */
export interface OpenedStream {
  /** Response metadata, once they are there. */
  readonly metadata: Promise<Metadata>;
  /** Numbers that came from the server. */
  readonly received: number[];
  /** Ends with the error, or with `undefined` for OK. */
  readonly ended: Promise<ServiceError | undefined>;
  send(n: number): void;
  /** Nothing more will be sent. */
  finish(): void;
  cancel(): void;
}

/** The shop's streams on a real server, verified, with handlers that do what a test says. */
export interface TestShop {
  readonly address: string;
  readonly guard: ServerInterceptors;
  /** Handlers that were entered, in order. */
  readonly entered: StreamKind[];
  /** Handlers that saw `cancelled`, in order. */
  readonly cancelled: StreamKind[];
  /** Numbers that reached the server, by stream. */
  readonly received: Record<StreamKind, number[]>;
  /** Sends a number from the handler of WatchCharges. */
  push(n: number): void;
  /** Lets the handler of WatchCharges end its stream. */
  endPush(): void;
  /** What handlers send as response metadata when they are entered; absent: nothing. */
  responseMetadata: Metadata | undefined;
  open(kind: StreamKind, token: string | undefined, options?: ClientOptions, scope?: string): OpenedStream;
  /** Calls Renew as anybody could. @returns When the stream ends now. */
  renew(id: string, token: string | undefined): Promise<number>;
  close(): void;
}

/** Waits for what other parts of the test bring about. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

export async function createTestShop(
  issuer: TestIssuer,
  options: Partial<ServerInterceptorsOptions> & { readonly renewable?: boolean } = {},
): Promise<TestShop> {
  const { renewable = true, ...more } = options;
  const guard = serverInterceptors({
    packages: [shopPackage],
    audience: ordersId,
    issuer: issuer.issuer,
    keys: issuer.keys,
    revocation: issuer.revocation,
    now: issuer.now,
    ...more,
  });
  const clients: { close(): void }[] = [];
  const watchers = new Set<ServerWritableStream<object, { charge_id: string }>>();

  function enter(
    kind: StreamKind,
    call: ServerReadableStream<object, object> | ServerWritableStream<object, object> | ServerDuplexStream<object, object>,
  ): void {
    created.entered.push(kind);
    call.on('cancelled', () => created.cancelled.push(kind));
    if (created.responseMetadata) call.sendMetadata(created.responseMetadata);
  }

  const ordersHandlers: OrdersHandlers = {
    Create: (_, callback) => callback(null, {}),
    Get: (_, callback) => callback(null, {}),
    Upload(call, callback) {
      enter('Upload', call);
      call.on('data', ({ quantity }) => created.received.Upload.push(quantity));
      call.on('end', () => callback(null, { created: created.received.Upload.length }));
    },
    Track(call) {
      enter('Track', call);
      call.on('data', ({ order_id }) => {
        created.received.Track.push(Number(order_id));
        call.write({ order: { order_id } });
      });
      call.on('end', () => call.end());
    },
  };
  const paymentsHandlers: PaymentsHandlers = {
    Charge: (_, callback) => callback(null, {}),
    Refund: (_, callback) => callback(null, {}),
    WatchCharges(call) {
      enter('WatchCharges', call);
      watchers.add(call);
      call.on('cancelled', () => watchers.delete(call));
    },
  };
  const server = new Server({ interceptors: guard.interceptors });
  server.addService(shop.Orders.service, ordersHandlers);
  server.addService(shop.Payments.service, paymentsHandlers);
  if (renewable) server.addService(...guard.streamCredential());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const address = `127.0.0.1:${port}`;
  const renewing: StreamCredentialClient = new tokenmesh.StreamCredential(address, credentials.createInsecure());
  clients.push(renewing);

  function start(kind: StreamKind, metadata: Metadata, clientOptions: ClientOptions, scope: string | undefined): OpenedStream {
    const Client = kind === 'WatchCharges' ? shop.Payments : shop.Orders;
    const client = new Client(address, credentials.createInsecure(), clientOptions);
    clients.push(client);
    const received: number[] = [];
    const done = Promise.withResolvers<ServiceError | undefined>();
    const settle = (error: ServiceError | null | undefined) => done.resolve(error ?? undefined);
    const callOptions = { ...(scope !== undefined && { scope }) };
    if (client instanceof shop.Payments) {
      const call = client.watchCharges({}, metadata, callOptions);
      call.on('data', ({ charge_id }) => received.push(Number(charge_id)));
      call.on('error', settle).on('end', () => settle(null));
      return {
        metadata: once(call, 'metadata').then(([first]) => first),
        received,
        ended: done.promise,
        send: () => {},
        finish: () => {},
        cancel: () => call.cancel(),
      };
    }
    if (kind === 'Upload') {
      const call = client.upload(metadata, callOptions, settle);
      call.on('error', () => {}); // the callback has it
      return {
        metadata: once(call, 'metadata').then(([first]) => first),
        received,
        ended: done.promise,
        send: (quantity) => call.write({ quantity }),
        finish: () => call.end(),
        cancel: () => call.cancel(),
      };
    }
    const call = client.track(metadata, callOptions);
    call.on('data', ({ order }) => received.push(Number(order?.order_id)));
    call.on('error', settle).on('end', () => settle(null));
    return {
      metadata: once(call, 'metadata').then(([first]) => first),
      received,
      ended: done.promise,
      send: (n) => call.write({ order_id: `${n}` }),
      finish: () => call.end(),
      cancel: () => call.cancel(),
    };
  }

  const created: TestShop = {
    address,
    guard,
    entered: [],
    cancelled: [],
    received: { Upload: [], WatchCharges: [], Track: [] },
    push(n) {
      for (const watcher of watchers) watcher.write({ charge_id: `${n}` });
    },
    endPush() {
      for (const watcher of watchers) watcher.end();
    },
    responseMetadata: undefined,
    open(kind, token, clientOptions = {}, scope = undefined) {
      const opened = start(kind, bearing(token), clientOptions, scope);
      opened.metadata.catch(() => {}); // of no interest where the call ends without any
      return opened;
    },
    renew(id, token) {
      const metadata = bearing(token);
      return new Promise((resolve, reject) => {
        renewing.renew({ stream_id: id }, metadata, (error, value) => (error ? reject(error) : resolve(value?.exp as number)));
      });
    },
    close() {
      for (const client of clients) client.close();
      guard.close();
      server.forceShutdown();
    },
  };
  return created;
}

function bearing(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}
