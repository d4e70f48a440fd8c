import type { ServiceError } from '@grpc/grpc-js';
import { type BenchMesh, bearer, jtiOf, obtainToken, startBenchMesh, type Workload } from './bench-mesh.ts';
import { type Load, streamKinds } from './load.ts';
import { type SuiteOptions, type SuiteResult, summarize } from './measure.ts';
import {
  apart,
  bareOrders,
  checkRefusals,
  type MeasuredServer,
  measure,
  ratios,
  reasonOf,
  type Side,
  type Slice,
  startMeasuredClient,
  startMeasuredServer,
  warmUp,
} from './measured-side.ts';

const inFlight = 4;
/** Of each stream: its opening and end are a part of what is measured that does not depend on how long a run is. */
const messages = 1_000;

/** What watching a stream for expiry and revocation costs its messages: four streams at a time, from their opening to their end. */
export async function streamsSuite({ quick, report }: SuiteOptions): Promise<SuiteResult> {
  await using started = new AsyncDisposableStack();
  report('starting token-exchange, with 10 000 revocations, servers and clients');
  const mesh = started.use(await startBenchMesh());
  const side = async (guard: 'bare' | 'layers' | 'mesh'): Promise<Side> => {
    const server = started.use(await startMeasuredServer(mesh, guard));
    return { server, client: started.use(await startMeasuredClient(mesh, guard, 'watcher', server)) };
  };
  const [bare, twin, layers, ours] = await Promise.all([side('bare'), side('bare'), side('layers'), side('mesh')]);
  const sides = { bare, twin, layers, ours };
  type Name = keyof typeof sides;
  const names = ['bare', 'twin', 'layers', 'ours'] as const satisfies readonly Name[];

  const rounds = quick ? 8 : 30;
  const count = quick ? 20 : 40;
  const loads = streamKinds.map((kind): Load => ({ kind, count, messages, inFlight }));
  report('streams that are not measured');
  await warmUp(Object.values(sides), loads, quick ? 3 : 4);
  const slices = streamKinds.map(() => ({ bare: [] as Slice[], twin: [] as Slice[], layers: [] as Slice[], ours: [] as Slice[] }));
  const checks: string[] = [];
  let ended: Promise<readonly string[]> | undefined;
  for (let round = 0; round < rounds; round++) {
    report(`round ${round + 1} of ${rounds}`);
    if (round === Math.floor(rounds / 2)) {
      checks.push(...(await checkRefusals(mesh, sides.ours.server)));
      ended = checkEndings(mesh, sides.ours.server);
      ended.catch(() => undefined); // it is awaited after the rounds
    }
    for (const [index, load] of loads.entries()) {
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        slices[index]?.[name].push(await measure(sides[name], load));
      }
    }
  }
  checks.push(...((await ended) ?? []));
  const sent = messages * count;
  const rate = ({ seconds }: Slice) => sent / seconds;
  const totalCpu = ({ cpuMicros, serverCpuMicros }: Slice) => (cpuMicros + serverCpuMicros) / sent;
  const serverCpu = ({ serverCpuMicros }: Slice) => serverCpuMicros / sent;
  const clientCpu = ({ cpuMicros }: Slice) => cpuMicros / sent;
  const figures = streamKinds.flatMap((kind, index) => {
    const { bare = [], twin = [], layers = [], ours = [] } = slices[index] ?? {};
    const over = (of: readonly Slice[], base: readonly Slice[], read: (slice: Slice) => number) => ratios(of.map(read), base.map(read));
    return [
      apart(`A/A bare against bare, ${kind} streaming, apart by`, over(twin, bare, rate)),
      summarize(`P5 messages per second / bare, ${kind} streaming`, '×', over(ours, bare, rate), { atLeast: 0.98 }),
      summarize(`total CPU per message / bare, ${kind} streaming`, '×', over(ours, bare, totalCpu)),
      summarize(`layers that do nothing: messages per second / bare, ${kind} streaming`, '×', over(layers, bare, rate)),
      summarize(`   total CPU / bare: the same, ${kind} streaming`, '×', over(layers, bare, totalCpu)),
      summarize(`   server CPU / bare: the same, ${kind} streaming`, '×', over(layers, bare, serverCpu)),
      summarize(`   client CPU / bare: the same, ${kind} streaming`, '×', over(layers, bare, clientCpu)),
      summarize(`   messages per second: authenticated / the same, ${kind} streaming`, '×', over(ours, layers, rate)),
      summarize(`   total CPU: authenticated / the same, ${kind} streaming`, '×', over(ours, layers, totalCpu)),
      summarize(`messages per second: bare grpc-js, ${kind} streaming`, '/s', bare.map(rate)),
      summarize(`messages per second: authenticated, ${kind} streaming`, '/s', ours.map(rate)),
    ];
  });
  return { suite: 'streams', figures, checks };
}

/** Streams of the measured server, open while others are measured, end when their token does and when it is revoked. */
async function checkEndings(mesh: BenchMesh, server: MeasuredServer): Promise<readonly string[]> {
  const expiring = await openStream(mesh, server, 'brief');
  const revoked = await openStream(mesh, server, 'gateway');
  await mesh.revoke(jtiOf(revoked.token));
  const endings = await Promise.all([expiring.ended, revoked.ended]);
  if (endings.join() !== 'TOKEN_EXPIRED,TOKEN_REVOKED') throw new Error(`two streams ended with ${endings.join(' and ')}`);
  return ['a stream ends when its token does, while others are measured', 'and another when its token is revoked'];
}

/** Opens a stream and waits for its first message: from then on it is watched. */
async function openStream(mesh: BenchMesh, server: MeasuredServer, workload: Workload) {
  const token = await obtainToken(mesh, workload);
  const client = bareOrders(mesh, server);
  const stream = client.track(bearer(token));
  const ended = new Promise<string>((resolve) => stream.on('error', (error: ServiceError) => resolve(reasonOf(error))));
  const opened = new Promise<void>((resolve, reject) => {
    stream.once('data', () => resolve());
    stream.once('error', reject);
  });
  stream.write({ order_id: 'order-1' });
  await opened;
  ended.finally(() => client.close());
  return { token, ended };
}
