import { type BenchMesh, spiffeId } from './bench-mesh.ts';
import { type Figure, type SuiteOptions, summarize } from './measure.ts';
import type { BareStreamsAnswer, BareStreamsQuestion } from './measured-bare-streams.ts';
import { startMeasured } from './measured-process.ts';
import { ratios, startMeasuredServer } from './measured-side.ts';
import type { WatchersAnswer, WatchersQuestion, WatchersSettings } from './measured-watchers.ts';

const covered = 10_000;
const others = 1_000;
const connections = 20;

/** Times in milliseconds from the moment at which it was known that they are to end. */
interface Ended {
  /** Until the server had written the last trailers. */
  readonly writtenMs: number;
  /** Until the client had read them. */
  readonly readMs: number;
  readonly serverCpuMs: number;
}

/** The same, from the moment at which the revocation was asked for. */
interface Revoked extends Ended {
  readonly sinceAskedMs: number;
}

/**
 * A mass watermark against open streams: until the last stream that it covers has ended, at the server and at its client, beside a bare grpc-js server
 * that ends as many. The others stay open, and each of them still carries messages.
 */
export async function streamFigures(
  mesh: BenchMesh,
  { quick, report }: SuiteOptions,
): Promise<{ readonly figures: readonly Figure[]; readonly checks: readonly string[] }> {
  const [revoked, bare]: [Revoked[], Ended[]] = [[], []];
  const rounds = quick ? 1 : 3;
  const known = mesh.revocations; // a watermark that is moved is no other revocation
  while (revoked.length < rounds) {
    report(`streams under one watermark, ${revoked.length + 1} of ${rounds}`);
    revoked.push(await endByWatermark(mesh, known));
    report(`streams that bare grpc-js ends, ${bare.length + 1} of ${rounds}`);
    bare.push(await endByBareServer(mesh));
  }
  const of = <Round, Key extends keyof Round>(all: readonly Round[], key: Key) => all.map((round) => round[key]);
  const cpu = ratios(of(revoked, 'serverCpuMs'), of(bare, 'serverCpuMs'));
  const label = `F18 ${known} revocations, ${covered} streams covered by one more: acknowledged → last one ended`;
  return {
    figures: [
      summarize(`${label} at its client`, 'ms', of(revoked, 'readMs'), { atMost: 1_000 }),
      summarize('    asked for → last one ended at its client', 'ms', of(revoked, 'sinceAskedMs')),
      summarize('    acknowledged → the server wrote the last trailers', 'ms', of(revoked, 'writtenMs')),
      summarize('    processor time of their server meanwhile', 'ms', of(revoked, 'serverCpuMs')),
      summarize(`    bare grpc-js ends ${covered}: begun → last one ended at its client`, 'ms', of(bare, 'readMs')),
      summarize('    bare grpc-js: begun → the server wrote the last trailers', 'ms', of(bare, 'writtenMs')),
      summarize('    bare grpc-js: processor time of their server meanwhile', 'ms', of(bare, 'serverCpuMs')),
      summarize('    processor time of the server / bare grpc-js', '', cpu),
    ],
    checks: [`${covered} streams ended with TOKEN_REVOKED, and ${others} of another client carry messages afterwards`],
  };
}

async function endByWatermark(mesh: BenchMesh, known: number): Promise<Revoked> {
  await using server = await startMeasuredServer(mesh, 'mesh');
  await using watchers = await startWatchers(mesh, server.port, { watcher: covered, gateway: others });
  const { revocations, fresh, cpuMicros } = await server.ask({});
  if (!fresh || revocations < known) throw new Error(`the server knows ${revocations} of ${known} revocations`);
  const askedNs = Number(process.hrtime.bigint());
  await mesh.add([{ kind: 'client', value: spiffeId('watcher') }]);
  const acknowledgedNs = Number(process.hrtime.bigint());
  const readNs = await lastEndOf(watchers, covered);
  const after = await server.ask({});
  const left = await watchers.ask({ type: 'echo', workload: 'gateway' });
  if (left.open !== others) throw new Error(`${others - left.open} streams of another client ended as well`);
  return {
    writtenMs: (after.lastTrackEndNs - acknowledgedNs) / 1e6,
    readMs: (readNs - acknowledgedNs) / 1e6,
    sinceAskedMs: (readNs - askedNs) / 1e6,
    serverCpuMs: (after.cpuMicros - cpuMicros) / 1_000,
  };
}

async function endByBareServer(mesh: BenchMesh): Promise<Ended> {
  const { directory, tokenExchange } = mesh;
  await using server = await startMeasured<BareStreamsQuestion, BareStreamsAnswer>(
    'measured-bare-streams.ts',
    { directory, tokenExchange },
    0,
  );
  await using watchers = await startWatchers(mesh, server.port, { watcher: covered });
  const before = await server.ask({});
  const { cpuMicros, beganNs, lastEndNs } = await server.ask({ end: true });
  const readNs = await lastEndOf(watchers, covered);
  return {
    writtenMs: (lastEndNs - beganNs) / 1e6,
    readMs: (readNs - beganNs) / 1e6,
    serverCpuMs: (cpuMicros - before.cpuMicros) / 1_000,
  };
}

type Watchers = Awaited<ReturnType<typeof startWatchers>>;

function startWatchers({ directory, tokenExchange }: BenchMesh, port: number, streams: WatchersSettings['streams']) {
  const settings: WatchersSettings = { directory, tokenExchange, port, connections, streams };
  return startMeasured<WatchersQuestion, WatchersAnswer>('measured-watchers.ts', settings, 1);
}

async function lastEndOf(watchers: Watchers, count: number): Promise<number> {
  const { ended, open, lastEndNs } = await watchers.ask({ type: 'await-end', workload: 'watcher' });
  if (ended.TOKEN_REVOKED !== count || open > 0) throw new Error(`streams ended with ${JSON.stringify(ended)}`);
  return lastEndNs;
}
