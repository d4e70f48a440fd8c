// The client under measurement: calls and streams to the service over one connection, as many as it is asked for.
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type ClientOptions, Metadata } from '@grpc/grpc-js';
import { createMesh } from '@tokenmesh/interceptor';
import { type OrdersClient, type PaymentsClient, shop } from '@tokenmesh/proto/shop';
import { channelCredentials, type MeshPlace, meshOptions, obtainToken, spiffeId, type Workload } from './bench-mesh.ts';
import { type SdkSettings, startSdk, tracingOf } from './bench-sdk.ts';
import { attachHeldToken } from './least-layers.ts';
import { type LeastSaid, leastTracingClient } from './least-tracing.ts';
import type { Load, Taken } from './load.ts';
import { drive } from './measure.ts';
import { answer } from './measured-process.ts';

export interface ClientSettings extends MeshPlace {
  /**
   * `compact`: as `mesh`, with the token under the key that HTTP/2 may index;
   * `traced`: no token, and the least that makes spans; `layers`: a held token under the indexable key, attached as what calls jose attaches its own.
   */
  readonly guard: 'bare' | 'traced' | 'mesh' | 'compact' | 'jose' | 'layers';
  /** Of `traced`: what its spans say. Default `name`. */
  readonly said?: LeastSaid;
  readonly workload: Workload;
  readonly port: number;
  /** Absent: there is no SDK. */
  readonly sdk?: SdkSettings;
}

// the cast holds: the suites pass these settings
const settings = JSON.parse(process.argv[2] ?? '{}') as ClientSettings;
const { guard, port } = settings;
const sdk = settings.sdk && (await startSdk(settings.sdk));

const sockets: Socket[] = [];
// the cast holds: that is what the channel carries
subscribe('net.client.socket', (message) => sockets.push((message as { readonly socket: Socket }).socket));
const sentBytes = () => sockets.reduce((sum, { remotePort, bytesWritten }) => (remotePort === port ? sum + bytesWritten : sum), 0);

async function connect(): Promise<{ readonly orders: OrdersClient; readonly payments: PaymentsClient }> {
  const to = `localhost:${port}`;
  if (guard === 'mesh' || guard === 'compact') {
    const place = meshOptions(settings, settings.workload);
    const mesh = await createMesh({ ...place, compactMetadata: guard === 'compact', ...tracingOf(settings.sdk) });
    const options = mesh.client(spiffeId('orders'));
    await mesh.ready();
    const tls = mesh.channelCredentials();
    return { orders: new shop.Orders(to, tls, options), payments: new shop.Payments(to, tls, options) };
  }
  const tls = channelCredentials(settings, settings.workload);
  const interceptors = {
    bare: [],
    traced: [leastTracingClient(settings.said ?? 'name')],
    jose: [attachHeldToken('authorization', held)],
    layers: [attachHeldToken('tokenmesh-token', held)],
  }[guard];
  const options: ClientOptions = { 'grpc.enable_http_proxy': 0, interceptors };
  return { orders: new shop.Orders(to, tls, options), payments: new shop.Payments(to, tls, options) };
}

const heldForMs = 300_000;
const held = { token: '', renewAtMs: 0 };

/** Renews the held token long before its end; between loads, so that no figure holds it. */
async function renewHeldToken(): Promise<void> {
  if ((guard !== 'jose' && guard !== 'layers') || Date.now() < held.renewAtMs) return;
  Object.assign(held, { token: await obtainToken(settings, settings.workload), renewAtMs: Date.now() + heldForMs });
}

const { orders, payments } = await connect();

/** Makes unary calls, `inFlight` at a time, and notes what each of them took. */
function callAll(count: number, inFlight: number): Promise<Float64Array> {
  const micros = new Float64Array(count);
  let started = 0;
  let done = 0;
  return new Promise((resolve, reject) => {
    const next = () => {
      if (started === count) return;
      const index = started++;
      const from = performance.now();
      orders.get({ order_id: 'order-1' }, (error) => {
        if (error) return reject(error);
        micros[index] = (performance.now() - from) * 1000;
        if (++done === count) return resolve(micros);
        next();
      });
    };
    for (let call = 0; call < inFlight; call++) next();
  });
}

const streams = { server: watch, client: upload, bidirectional: track } as const;

async function watch(messages: number): Promise<number> {
  const metadata = new Metadata();
  metadata.set('messages', String(messages));
  const call = payments.watchCharges({}, metadata);
  let received = 0;
  call.on('data', () => received++);
  await once(call, 'end');
  return received;
}

async function upload(messages: number): Promise<number> {
  const answered = Promise.withResolvers<number>();
  const call = orders.upload((error, response) => (error ? answered.reject(error) : answered.resolve(response?.created ?? 0)));
  writeAll(call, { item: 'tea', quantity: 1 }, messages);
  return await answered.promise;
}

async function track(messages: number): Promise<number> {
  const call = orders.track();
  let received = 0;
  call.on('data', () => received++);
  writeAll(call, { order_id: 'order-1' }, messages);
  await once(call, 'end');
  return received;
}

interface Writing<Message> {
  write(message: Message): boolean;
  end(): void;
  once(event: 'drain', listener: () => void): unknown;
}

function writeAll<Message>(call: Writing<Message>, message: Message, count: number): void {
  let left = count;
  const send = (): void => {
    while (left-- > 0) if (!call.write(message)) return void call.once('drain', send);
    call.end();
  };
  send();
}

async function streamAll({ kind, count, messages, inFlight }: Extract<Load, { readonly messages: number }>): Promise<void> {
  await drive(count, inFlight, async () => {
    const had = await streams[kind](messages);
    if (had !== messages) throw new Error(`a stream had ${had} messages instead of ${messages}`);
  });
}

answer<Load, Taken>(port, async (load) => {
  await renewHeldToken();
  const sentBefore = sentBytes();
  const usageBefore = process.cpuUsage();
  const from = performance.now();
  const micros = load.kind === 'unary' ? await callAll(load.count, load.inFlight) : await streamAll(load);
  await sdk?.flush();
  const seconds = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(usageBefore);
  const sorted = micros?.sort() ?? new Float64Array();
  const at = (part: number) => sorted[Math.floor(part * sorted.length)] ?? 0;
  return { seconds, cpuMicros: user + system, sentBytes: sentBytes() - sentBefore, p50Micros: at(0.5), p99Micros: at(0.99) };
});
