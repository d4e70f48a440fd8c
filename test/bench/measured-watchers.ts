// Opens streams, many over each of a few connections, and notes when they end.
import { type BareTrack, connectBare, openTrack } from './bare-track.ts';
import { type MeshPlace, obtainToken, type Workload } from './bench-mesh.ts';
import { answer } from './measured-process.ts';

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

const sessions = await Promise.all(Array.from({ length: settings.connections }, () => connectBare(settings, 'gateway', settings.port)));

class Watched {
  readonly open = new Set<BareTrack>();
  readonly ended: Record<string, number> = {};
  lastEndNs = 0;
  readonly allEnded = Promise.withResolvers<void>();

  /** Resolves with the first message: from then on the server watches the stream. */
  async add(stream: BareTrack): Promise<void> {
    this.open.add(stream);
    stream.onEnd((reason) => {
      this.lastEndNs = Number(process.hrtime.bigint());
      this.ended[reason] = (this.ended[reason] ?? 0) + 1;
      this.open.delete(stream);
      if (this.open.size === 0) this.allEnded.resolve();
    });
    await stream.echo();
  }
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
    const batch = Array.from({ length: Math.min(atOnce, count - opened) }, (_, index) => sessions[(opened + index) % sessions.length]);
    await Promise.all(batch.map((session) => session && streams.add(openTrack(session, token))));
  }
}

answer<WatchersQuestion, WatchersAnswer>(0, async ({ type, workload }) => {
  const streams = watched.get(workload);
  if (!streams) throw new Error(`${workload} opened none`);
  if (type === 'await-end') await streams.allEnded.promise;
  else await Promise.all([...streams.open].map((stream) => stream.echo()));
  return { ended: streams.ended, open: streams.open.size, lastEndNs: streams.lastEndNs };
});
