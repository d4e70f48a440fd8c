// Opens streams, many over each of a few connections, and notes when they end.
import type { ServiceError } from '@grpc/grpc-js';
import { type OrdersClient, shop } from '@tokenmesh/proto/shop';
import { bearer, channelCredentials, type MeshPlace, obtainToken, type Workload } from './bench-mesh.ts';
import { answer } from './measured-process.ts';
import { reasonOf } from './measured-side.ts';

export interface WatchersSettings extends MeshPlace {
  /** Of the service. */
  readonly port: number;
  readonly connections: number;
  /** Workloads, and how many streams each of them opens. */
  readonly streams: Readonly<Partial<Record<Workload, number>>>;
}

/** `await-end`: answered when every stream of this workload has ended. `echo`: when every stream that is left of it has brought a message. */
export interface WatchersQuestion {
  readonly type: 'await-end' | 'echo';
  readonly workload: Workload;
}

export interface WatchersAnswer {
  /** Streams of the workload that have ended, by their reasons, and those that have not. */
  readonly ended: Readonly<Record<string, number>>;
  readonly open: number;
  /** When the last of them ended, in nanoseconds of `process.hrtime`. */
  readonly lastEndNs: number;
}

// the cast holds: the suite passes these settings
const settings = JSON.parse(process.argv[2] ?? '{}') as WatchersSettings;
const atOnce = 100;

const clients = Array.from({ length: settings.connections }, (_, index) => {
  // an option of its own keeps grpc-js from sharing one connection among all
  const options = { 'grpc.primary_user_agent': `watcher-${index}` };
  return new shop.Orders(`localhost:${settings.port}`, channelCredentials(settings, 'gateway'), options);
});

type Stream = ReturnType<OrdersClient['track']>;

class Watched {
  readonly open = new Set<Stream>();
  readonly ended: Record<string, number> = {};
  lastEndNs = 0;
  readonly allEnded = Promise.withResolvers<void>();

  /** Resolves with the first message: from then on the server watches the stream. */
  async add(client: OrdersClient, token: string): Promise<void> {
    const stream = client.track(bearer(token));
    this.open.add(stream);
    stream.once('error', (error: ServiceError) => {
      this.lastEndNs = Number(process.hrtime.bigint());
      const reason = reasonOf(error);
      this.ended[reason] = (this.ended[reason] ?? 0) + 1;
      this.open.delete(stream);
      if (this.open.size === 0) this.allEnded.resolve();
    });
    await echo(stream);
  }
}

async function echo(stream: Stream): Promise<void> {
  const heard = Promise.withResolvers<void>();
  stream.once('data', () => heard.resolve());
  stream.once('error', heard.reject);
  stream.write({ order_id: 'order-1' });
  await heard.promise;
  stream.off('error', heard.reject);
}

const watched = new Map<Workload, Watched>();
// the cast holds: they are its names
for (const workload of Object.keys(settings.streams) as Workload[]) {
  const streams = new Watched();
  watched.set(workload, streams);
  const count = settings.streams[workload] ?? 0;
  for (let opened = 0; opened < count; opened += atOnce) {
    // a token for each hundred
    const token = await obtainToken(settings, workload);
    const batch = Array.from({ length: Math.min(atOnce, count - opened) }, (_, index) => clients[(opened + index) % clients.length]);
    await Promise.all(batch.map((client) => client && streams.add(client, token)));
  }
}

answer<WatchersQuestion, WatchersAnswer>(0, async ({ type, workload }) => {
  const streams = watched.get(workload);
  if (!streams) throw new Error(`${workload} opened none`);
  if (type === 'await-end') await streams.allEnded.promise;
  else await Promise.all([...streams.open].map(echo));
  return { ended: streams.ended, open: streams.open.size, lastEndNs: streams.lastEndNs };
});
