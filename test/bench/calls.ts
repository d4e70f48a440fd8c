import { obtainToken, startBenchMesh, type Workload } from './bench-mesh.ts';
import { inFlightSeries } from './in-flight-series.ts';
import type { Load } from './load.ts';
import { type Figure, type SuiteOptions, type SuiteResult, summarize } from './measure.ts';
import type { ClientSettings } from './measured-client.ts';
import {
  apart,
  checkRefusals,
  type Guard,
  measure,
  ratios,
  type Side,
  type Slice,
  startMeasuredClient,
  startMeasuredServer,
  warmUp,
} from './measured-side.ts';

const inFlight = 64;

/** What a token on a unary call costs, beside the same call without one and beside jose on every call. */
export async function callsSuite({ quick, report }: SuiteOptions): Promise<SuiteResult> {
  await using started = new AsyncDisposableStack();
  report('starting token-exchange, with 10 000 revocations, servers and clients');
  const mesh = started.use(await startBenchMesh());
  // each has a server of its own: one that answers several clients would be warmer than the others, and have more on its heap
  const side = async (guard: ClientSettings['guard'], workload: Workload = 'gateway', served?: Guard): Promise<Side> => {
    const server = started.use(await startMeasuredServer(mesh, served ?? (guard === 'compact' ? 'mesh' : guard)));
    return { server, client: started.use(await startMeasuredClient(mesh, guard, workload, server)) };
  };
  const [bare, twin, header, indexed, layers, ours, compact, bound, jose] = await Promise.all([
    side('bare'),
    side('bare'),
    side('jose', 'gateway', 'bare'), // whoever calls jose attaches a token, and here nobody looks at it
    side('layers', 'gateway', 'bare'),
    side('layers'),
    side('mesh'),
    side('compact'),
    side('mesh', 'bound'),
    side('jose'),
  ]);
  const sides = { bare, twin, header, indexed, layers, ours, compact, bound, jose };
  type Name = keyof typeof sides;
  // the cast holds: they are its names
  const names = Object.keys(sides) as Name[];

  const rounds = quick ? 6 : 30;
  const busy: Load = { kind: 'unary', count: quick ? 2_000 : 6_000, inFlight };
  const alone: Load = { kind: 'unary', count: quick ? 100 : 500, inFlight: 1 };
  report('calls that are not measured');
  await warmUp(Object.values(sides), [busy, alone], quick ? 5 : 3);
  const slices = { busy: byName<Slice>(), alone: byName<Slice>() };
  let checks: readonly string[] = [];
  for (let round = 0; round < rounds; round++) {
    report(`round ${round + 1} of ${rounds}`);
    if (round === Math.floor(rounds / 2)) checks = await checkRefusals(mesh, ours.server, jose.server);
    // there and back, so that nobody always comes after the same other one
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      slices.busy[name].push(await measure(sides[name], busy));
      slices.alone[name].push(await measure(sides[name], alone));
    }
  }
  const token = await obtainToken(mesh, 'gateway');

  const of = (name: Name, read: (slice: Slice) => number, load: keyof typeof slices = 'busy') => slices[load][name].map(read);
  const rate = ({ seconds }: Slice) => busy.count / seconds;
  const totalCpu = ({ cpuMicros, serverCpuMicros }: Slice) => (cpuMicros + serverCpuMicros) / busy.count;
  const serverCpu = ({ serverCpuMicros }: Slice) => serverCpuMicros / busy.count;
  const clientCpu = ({ cpuMicros }: Slice) => cpuMicros / busy.count;
  const overBare = (name: Name, read: (slice: Slice) => number) => ratios(of(name, read), of('bare', read));
  const p50 = ({ p50Micros }: Slice) => p50Micros;
  const p99 = ({ p99Micros }: Slice) => p99Micros;
  const bytes = ({ sentBytes }: Slice) => sentBytes / alone.count;
  const more = (name: Name, read: (slice: Slice) => number) => {
    const bare = of('bare', read, 'alone');
    return of(name, read, 'alone').map((value, index) => value - (bare[index] ?? Number.NaN));
  };
  const figures: Figure[] = [
    apart('A/A bare against bare, throughput, apart by', overBare('twin', rate)),
    summarize('   the same, total CPU of one / the other', '×', overBare('twin', totalCpu)),
    summarize('P1 throughput / bare, 64 in flight', '×', overBare('ours', rate), { atLeast: 0.92 }),
    summarize('P1 with the indexable key', '×', overBare('compact', rate), { atLeast: 0.95 }),
    summarize('   the same with a certificate-bound token', '×', overBare('bound', rate)),
    summarize('P2 throughput / jose on every call', '×', ratios(of('ours', rate), of('jose', rate)), { atLeast: 2.1 }),
    summarize('P2 server CPU / jose on every call', '×', ratios(of('ours', serverCpu), of('jose', serverCpu)), { atMost: 0.25 }),
    summarize('   at the most, nothing verified: throughput / jose', '×', ratios(of('header', rate), of('jose', rate))),
    summarize('   at the least, nothing verified: server CPU / jose', '×', ratios(of('header', serverCpu), of('jose', serverCpu))),
    summarize('server CPU / bare', '×', overBare('ours', serverCpu)),
    summarize('   the same / bare with the same header', '×', ratios(of('ours', serverCpu), of('header', serverCpu))),
    summarize('   the same with a certificate-bound token', '×', overBare('bound', serverCpu)),
    summarize('P3 total CPU / bare', '×', overBare('ours', totalCpu), { atMost: 1.08 }),
    summarize('P3 total CPU / bare with the indexable key', '×', overBare('compact', totalCpu), { atMost: 1.06 }),
    summarize('P3 p50 added, 1 in flight', 'µs', more('ours', p50), { atMost: 20 }),
    summarize('   the same with a certificate-bound token', 'µs', more('bound', p50)),
    summarize('P3 p99 / bare, 64 in flight', '×', overBare('ours', p99), { atMost: 1.1 }),
    summarize(`P4 bytes added per warm call (token: ${token.length})`, 'B', more('ours', bytes), { atMost: token.length + 25 }),
    summarize('P4 with the indexable key', 'B', more('compact', bytes), { atMost: 2 }),
    ...(['indexed', 'layers'] as const).flatMap((least) => [
      summarize(`${labels[least]}: throughput / bare`, '×', overBare(least, rate)),
      summarize(`   total CPU / bare: ${labels[least]}`, '×', overBare(least, totalCpu)),
      summarize(`   server CPU / bare: ${labels[least]}`, '×', overBare(least, serverCpu)),
      summarize(`   client CPU / bare: ${labels[least]}`, '×', overBare(least, clientCpu)),
      summarize(`   throughput: authenticated, indexable key / ${labels[least]}`, '×', ratios(of('compact', rate), of(least, rate))),
      summarize(`   total CPU: authenticated, indexable key / ${labels[least]}`, '×', ratios(of('compact', totalCpu), of(least, totalCpu))),
    ]),
    ...names.flatMap((name) => [
      summarize(`throughput: ${labels[name]}`, '/s', of(name, rate)),
      summarize(`server CPU per call: ${labels[name]}`, 'µs', of(name, serverCpu)),
      summarize(`client CPU per call: ${labels[name]}`, 'µs', of(name, clientCpu)),
    ]),
  ];
  const lines = { [labels.bare]: bare, [labels.ours]: ours, [labels.compact]: compact, [labels.jose]: jose };
  return { suite: 'calls', figures, checks, series: await inFlightSeries(lines, { quick, report }) };
}

const labels = {
  bare: 'bare grpc-js',
  twin: 'bare grpc-js again',
  header: 'bare grpc-js, the same header unread',
  indexed: 'bare grpc-js, the indexable header unread',
  layers: 'layers that do nothing, indexable key',
  ours: 'authenticated',
  compact: 'authenticated, indexable key',
  bound: 'authenticated, certificate-bound token',
  jose: 'jose on every call',
} as const;

function byName<Value>(): Record<keyof typeof labels, Value[]> {
  return { bare: [], twin: [], header: [], indexed: [], layers: [], ours: [], compact: [], bound: [], jose: [] };
}
