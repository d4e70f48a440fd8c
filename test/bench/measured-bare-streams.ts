// The floor under the end of many streams: a bare grpc-js server that ends all that are open with one status, as the interceptor does: written once, and
// for 5 ms at a time. Asked to do so it answers when the last has ended; asked for nothing, at once.
import { setImmediate as turn } from 'node:timers/promises';
import { Server, ServerCredentials, type ServerInterceptingCall, type ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { refusalStatus } from '@tokenmesh/interceptor';
import { type OrdersHandlers, shop } from '@tokenmesh/proto/shop';
import { type MeshPlace, tlsOf } from './bench-mesh.ts';
import { answer } from './measured-process.ts';

export interface BareStreamsQuestion {
  readonly end?: boolean;
}

export interface BareStreamsAnswer {
  /** Processor time of the whole process. */
  readonly cpuMicros: number;
  /** When it began to end them, and when the last one was over at the server, in nanoseconds of `process.hrtime`. */
  readonly beganNs: number;
  readonly lastEndNs: number;
}

// the cast holds: the suite passes these settings
const settings = JSON.parse(process.argv[2] ?? '{}') as MeshPlace;
const sliceMs = 5;
const status = refusalStatus('TOKEN_REVOKED', { method: shop.Orders.service.Track.path, admitted: 'true' });

const open = new Set<ServerInterceptingCallInterface>();
let [live, beganNs, lastEndNs] = [0, 0, 0];
let allOver = Promise.withResolvers<void>();

const track: OrdersHandlers['Track'] = (call) => {
  live++;
  call.on('data', () => call.write({ order: { order_id: 'order-1', item: 'tea', quantity: 1, charge_id: 'charge-1' } }));
  call.once('cancelled', () => {
    lastEndNs = Number(process.hrtime.bigint());
    if (--live === 0) allOver.resolve();
  });
};

async function endAll(): Promise<void> {
  allOver = Promise.withResolvers();
  beganNs = Number(process.hrtime.bigint());
  let sliceEndsAt = performance.now() + sliceMs;
  for (const call of open) {
    call.sendStatus(status);
    if (performance.now() < sliceEndsAt) continue;
    await turn();
    sliceEndsAt = performance.now() + sliceMs;
  }
  open.clear();
  await allOver.promise;
}

const server = new Server({
  interceptors: [
    (_, call) => {
      open.add(call);
      return call as ServerInterceptingCall; // the cast holds: grpc-js asks of a call what its interface has
    },
  ],
});
server.addService(shop.Orders.service, { Track: track });
const { ca, certificate } = tlsOf(settings.directory, 'orders');
const tls = ServerCredentials.createSsl(ca, [{ cert_chain: certificate.cert, private_key: certificate.key }], true);
const port = await new Promise<number>((resolve, reject) =>
  server.bindAsync('127.0.0.1:0', tls, (error, bound) => (error ? reject(error) : resolve(bound))),
);

answer<BareStreamsQuestion, BareStreamsAnswer>(port, async ({ end }) => {
  if (end) await endAll();
  const { user, system } = process.cpuUsage();
  return { cpuMicros: user + system, beganNs, lastEndNs };
});
