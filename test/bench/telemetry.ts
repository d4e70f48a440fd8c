import { type BenchMesh, startBenchMesh } from './bench-mesh.ts';
import type { SdkSettings } from './bench-sdk.ts';
import type { Load } from './load.ts';
import { type Figure, type SuiteOptions, type SuiteResult, summarize } from './measure.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import type { Received, ReceiverAnswer } from './measured-receiver.ts';
import { apart, checkRefusals, ratios, type Side, type Slice, startMeasuredClient, startMeasuredServer, warmUp } from './measured-side.ts';

type Receiver = MeasuredProcess<object, ReceiverAnswer>;
type Sdk = Pick<SdkSettings, 'sampled' | 'decides' | 'metrics'>;

/**
 * Both ends of a side have the same SDK, or none. `least…` are bare grpc-js with the least that makes spans, which say nothing but a name, and those of
 * `leastTold` what ours do. `chosen`: the client's mesh decides before there is a span or a header, and the server's begins no trace of its own.
 */
const sdks = {
  none: undefined,
  twin: undefined,
  sampled: { sampled: 0.01, decides: 'sampler', metrics: false },
  chosen: { sampled: 0.01, decides: 'mesh', metrics: false },
  metered: { sampled: 0.01, decides: 'sampler', metrics: true },
  all: { sampled: 1, decides: 'sampler', metrics: false },
  leastNone: undefined,
  leastSampled: { sampled: 0.01, decides: 'sampler', metrics: false },
  leastAll: { sampled: 1, decides: 'sampler', metrics: false },
  leastTold: { sampled: 1, decides: 'sampler', metrics: false },
} as const satisfies Readonly<Record<string, Sdk | undefined>>;
type Name = keyof typeof sdks;
// the cast holds: they are its names
const names = Object.keys(sdks) as Name[];

const labels: Readonly<Record<Name, string>> = {
  none: 'no SDK',
  twin: 'no SDK again',
  sampled: '1 % sampled',
  chosen: '1 % sampled, decided before a span or a header exists',
  metered: '1 % sampled, and metrics',
  all: '100 % sampled',
  leastNone: 'least tracing, no SDK',
  leastSampled: 'least tracing, 1 % sampled',
  leastAll: 'least tracing, 100 % sampled',
  leastTold: 'least tracing that tells what ours does, 100 % sampled',
};

/** What being seen costs an authenticated unary call: spans that go to a receiver, all of them or one in a hundred, and metrics. */
export async function telemetrySuite({ quick, report }: SuiteOptions): Promise<SuiteResult> {
  await using started = new AsyncDisposableStack();
  report('starting token-exchange, with 10 000 revocations, a receiver, servers and clients');
  const mesh = started.use(await startBenchMesh());
  const receiver = started.use(await startMeasured<object, ReceiverAnswer>('measured-receiver.ts', {}, 1));
  const side = (name: Name) => startSide(started, mesh, receiver, name);
  // the cast holds: they are the same names
  const sides = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await side(name)]))) as Readonly<Record<Name, Side>>;

  const rounds = quick ? 4 : 30;
  const busy: Load = { kind: 'unary', count: quick ? 2_000 : 8_000, inFlight: 64 };
  // the cast holds: they are the same names
  const slices = Object.fromEntries(names.map((name) => [name, []])) as unknown as Readonly<Record<Name, Slice[]>>;
  report('calls that are not measured');
  const unmeasured = quick ? 4 : 3;
  for (let time = 0; time < unmeasured; time++) {
    await warmUp(Object.values(sides), [busy], 1);
    for (const name of names) await sides[name].server.ask({ flush: true });
  }
  const before = await receiver.ask({});
  let checks: readonly string[] = [];
  for (let round = 0; round < rounds; round++) {
    report(`round ${round + 1} of ${rounds}`);
    if (round === Math.floor(rounds / 2)) checks = await checkRefusals(mesh, sides.all.server);
    // there and back, so that nobody always comes after the same other one
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      slices[name].push(await measureToLastSpan(sides[name], busy));
    }
    await receiver.ask({}); // it reads now, and not while the next are measured
  }
  const after = await receiver.ask({});
  const calls = (rounds + unmeasured) * busy.count;
  checks = [...checks, ...checkReceived(after, calls)];

  const of = (name: Name, read: (slice: Slice) => number) => slices[name].map(read);
  const overNone = (name: Name, read: (slice: Slice) => number) => ratios(of(name, read), of('none', read));
  const overLeastNone = (name: Name, read: (slice: Slice) => number) => ratios(of(name, read), of('leastNone', read));
  const rate = ({ seconds }: Slice) => busy.count / seconds;
  const callMicros = (name: Name) => slices[name].map(({ seconds }) => (seconds * 1e6) / busy.count);
  const addedMicros = (name: Name, base: Name) => callMicros(name).map((micros, index) => micros - (callMicros(base)[index] ?? Number.NaN));
  /** An authenticated call takes longer than one without a token, so that the same time added to it is less of it. */
  const withTimeOf = (name: Name) => {
    const added = addedMicros(name, 'leastNone');
    return callMicros('none').map((micros, index) => micros / (micros + (added[index] ?? Number.NaN)));
  };
  const serverCpu = ({ serverCpuMicros }: Slice) => serverCpuMicros / busy.count;
  const clientCpu = ({ cpuMicros }: Slice) => cpuMicros / busy.count;
  const seen = ['sampled', 'chosen', 'metered', 'all'] as const satisfies readonly Name[];
  const least = ['leastSampled', 'leastAll', 'leastTold'] as const satisfies readonly Name[];
  const receiverCpu = (after.cpuMicros - before.cpuMicros) / (rounds * busy.count);
  const figures: Figure[] = [
    apart('A/A no SDK against no SDK, throughput, apart by', overNone('twin', rate)),
    summarize('P17 throughput / no SDK: 1 % sampled', '×', overNone('sampled', rate), { atLeast: 0.92 }),
    summarize(`P17 throughput / no SDK: ${labels.chosen}`, '×', overNone('chosen', rate), { atLeast: 0.92 }),
    summarize('P17 throughput / no SDK: 100 % sampled', '×', overNone('all', rate), { atLeast: 0.75 }),
    summarize('throughput / no SDK: 1 % sampled, and metrics', '×', overNone('metered', rate)),
    ...least.map((name) => summarize(`throughput / no SDK: ${labels[name]}`, '×', overLeastNone(name, rate))),
    summarize(`added to a call, of no SDK: ${labels.all}`, 'µs', addedMicros('all', 'none')),
    ...(['leastAll', 'leastTold'] as const).map((name) =>
      summarize(`added to a call, of no SDK: ${labels[name]}`, 'µs', addedMicros(name, 'leastNone')),
    ),
    ...(['leastAll', 'leastTold'] as const).map((name) =>
      summarize(`throughput / no SDK: ours without one, and what ${labels[name]}, adds`, '×', withTimeOf(name)),
    ),
    ...seen.map((name) => summarize(`server CPU / no SDK: ${labels[name]}`, '×', overNone(name, serverCpu))),
    ...seen.map((name) => summarize(`client CPU / no SDK: ${labels[name]}`, '×', overNone(name, clientCpu))),
    ...least.map((name) => summarize(`server CPU / no SDK: ${labels[name]}`, '×', overLeastNone(name, serverCpu))),
    ...least.map((name) => summarize(`client CPU / no SDK: ${labels[name]}`, '×', overLeastNone(name, clientCpu))),
    summarize('receiver CPU per call of each kind, on the clients’ processor', 'µs', [receiverCpu]),
    ...names.flatMap((name) => [
      summarize(`throughput: ${labels[name]}`, '/s', of(name, rate)),
      summarize(`server CPU per call: ${labels[name]}`, 'µs', of(name, serverCpu)),
      summarize(`client CPU per call: ${labels[name]}`, 'µs', of(name, clientCpu)),
    ]),
  ];
  return { suite: 'telemetry', figures, checks };
}

async function startSide(started: AsyncDisposableStack, mesh: BenchMesh, { port }: Receiver, name: Name): Promise<Side> {
  const sdk: Sdk | undefined = sdks[name];
  const sdkOf = (end: string, its: Partial<Sdk> = {}): SdkSettings | undefined =>
    sdk && { ...sdk, ...its, service: `${end}-${name}`, endpoint: `http://127.0.0.1:${port}` };
  const guard = name.startsWith('least') ? 'traced' : 'mesh';
  const said = name === 'leastTold' ? 'all' : 'name';
  // with the sampler's decision in each header, the server's own is never asked
  const server = started.use(
    await startMeasuredServer(mesh, guard, { sdk: sdkOf('orders', name === 'chosen' ? { sampled: 0 } : {}), said }),
  );
  return { server, client: started.use(await startMeasuredClient(mesh, guard, 'gateway', server, { sdk: sdkOf('gateway'), said })) };
}

/** From the first call until the receiver has the last span of either end, so that no work is left for others' slices. */
async function measureToLastSpan({ server, client }: Side, load: Load): Promise<Slice> {
  const before = await server.ask({});
  const from = performance.now();
  const taken = await client.ask(load);
  const after = await server.ask({ flush: true });
  return { ...taken, seconds: (performance.now() - from) / 1000, serverCpuMicros: after.cpuMicros - before.cpuMicros };
}

/**
 * @param calls That were made on each side.
 * @throws {Error} The receiver has other spans than it should: what was measured is something else.
 */
function checkReceived({ services, meteredExports }: ReceiverAnswer, calls: number): readonly string[] {
  const nothing: Received = { clientSpans: 0, serverSpans: 0, admitted: 0, refused: {}, forms: {} };
  const at = (end: 'gateway' | 'orders', name: Name) => services[`${end}-${name}`] ?? nothing;
  const percent = (spans: number) => `${((100 * spans) / calls).toFixed(2)} %`;
  const expect = (isTrue: boolean, check: string): string => {
    if (!isTrue) throw new Error(`not so: ${check}`);
    return check;
  };
  const expected = names.filter((name) => sdks[name]).flatMap((name) => [`gateway-${name}`, `orders-${name}`]);
  const strangers = Object.keys(services).filter((service) => !expected.includes(service));
  const all = at('orders', 'all');
  // the forged token comes under either key
  const refusals = Object.entries({ CREDENTIAL_MISSING: 1, TOKEN_SIGNATURE_INVALID: 2, TOKEN_REVOKED: 1 });
  return [
    expect(strangers.length === 0, `processes without an SDK sent no span${strangers.map((service) => `, but ${service}`).join('')}`),
    ...(['sampled', 'chosen', 'metered'] as const).flatMap((name) => {
      const [{ clientSpans }, { serverSpans, admitted }] = [at('gateway', name), at('orders', name)];
      const isOne = clientSpans > calls * 0.005 && clientSpans < calls * 0.015;
      return [
        expect(isOne, `${labels[name]}: the receiver has the client spans of ${percent(clientSpans)} of ${calls} calls`),
        expect(serverSpans === clientSpans, `and of the same calls the server spans: ${serverSpans} of ${clientSpans}`),
        expect(
          admitted === serverSpans,
          `each with the decision and its rule, the token's hashed id, audience and key, and the age of revocations: ${admitted}`,
        ),
      ];
    }),
    ...(['leastSampled', 'leastAll', 'leastTold'] as const).map((name) => {
      const [{ clientSpans }, { serverSpans }] = [at('gateway', name), at('orders', name)];
      const isRight = name === 'leastSampled' ? clientSpans > calls * 0.005 && clientSpans < calls * 0.015 : clientSpans === calls;
      return expect(
        isRight && serverSpans === clientSpans,
        `${labels[name]}: client spans of ${percent(clientSpans)}, and as many server spans`,
      );
    }),
    expect(
      at('gateway', 'all').clientSpans === calls,
      `100 % sampled: client spans of ${percent(at('gateway', 'all').clientSpans)} of the calls`,
    ),
    expect(all.admitted === calls, `and server spans, with their decisions, of ${percent(all.admitted)}`),
    ...(['gateway', 'orders'] as const).map((end) => {
      const [ours, theirs] = [usualForm(at(end, 'all')), usualForm(at(end, 'leastTold'))];
      const said = ours.form === theirs.form ? `say what ours do (${ours.form})` : `say ${theirs.form}, ours ${ours.form}`;
      return expect(ours.form === theirs.form && theirs.count === calls, `${labels.leastTold}: the spans of ${end} ${said}`);
    }),
    expect(
      refusals.every(([reason, count]) => all.refused[reason] === count),
      'the four refused calls among them, with their reasons',
    ),
    expect(meteredExports > 0, `metrics: the receiver has ${meteredExports} exports with the interceptor's count of calls`),
  ];
}

/** What nearly all spans of a service say: those of refused calls say something else. */
function usualForm({ forms }: Received): { readonly form: string; readonly count: number } {
  const [[form, count] = ['', 0]] = Object.entries(forms).toSorted(([, a], [, b]) => b - a);
  return { form, count };
}
