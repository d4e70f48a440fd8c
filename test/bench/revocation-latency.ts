import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { connect, type NatsConnection } from 'nats';
import type { BenchMesh } from './bench-mesh.ts';
import { amongManyFigures, enforcedFigures, enforcedSeries, type MeasuredSize, type Slice } from './latency-figures.ts';
import type { Figure, Series, SuiteOptions } from './measure.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import type { VerifiersAnswer, VerifiersQuestion, VerifiersSettings } from './measured-verifiers.ts';

/** A mesh with NATS, and when its events were durable. */
export interface LatencyPlace {
  readonly mesh: BenchMesh;
  /** Address of its nats-server. */
  readonly nats: string;
  /** Resolves with the moment of the commit, in nanoseconds of `process.hrtime`. */
  committedAt(n: number): Promise<number>;
}

type Verifiers = MeasuredProcess<VerifiersQuestion, VerifiersAnswer>;

/** `raw`: plain subscriptions. `signed`: those that check one signature. `ours`: feeds. `few`: some feeds among plain subscriptions to the same. */
type Name = 'raw' | 'signed' | 'ours' | 'few';

/** Verifiers of one kind, of `count` so many feeds, and what is broadcast to them. */
interface Kind {
  feedsOf(count: number): number;
  /** Their process on either processor, each without a verifier yet. */
  readonly processes: readonly Verifiers[];
  /** Broadcasts what concerns the token; returns when it was told to, and the moment from which its way is counted, which may be known later. */
  broadcast(jti: string): Promise<{ readonly askedNs: number; readonly fromNs: Promise<number> }>;
}

const rawSubject = 'bench.raw';
const signedSubject = 'bench.signed';
const eventsSubject = 'tokenmesh.bench_test.revocation.events';

/** From the commit of a revocation until every verifier refuses its token, beside the same bytes by NATS alone. */
export async function latencyFigures(
  place: LatencyPlace,
  { quick, report }: SuiteOptions,
): Promise<{ readonly figures: readonly Figure[]; readonly series: readonly Series[] }> {
  const connection = await connect({ servers: place.nats });
  try {
    const bytes = await exampleOf(place, connection);
    await using started = new AsyncDisposableStack();
    report('starting processes for verifiers');
    const kinds = await startKinds(started, place, connection, bytes);
    const three = ['raw', 'signed', 'ours'] as const;
    const sizes = [
      { verifiers: 1, slices: quick ? 8 : 30, events: quick ? 20 : 50, names: three },
      { verifiers: 10, slices: quick ? 4 : 30, events: 10, names: three },
      { verifiers: 100, slices: quick ? 6 : 30, events: 5, names: three },
      { verifiers: 1_000, slices: quick ? 3 : 15, events: 2, names: [...three, 'few'] as const },
    ];
    const figures: Figure[] = [];
    const measured: MeasuredSize[] = [];
    for (const { verifiers, names, ...size } of sizes) {
      const slices = await measureKinds(kinds, names, { ...size, verifiers, report });
      figures.push(...enforcedFigures(verifiers, slices));
      if (slices.few.length > 0) figures.push(...amongManyFigures(verifiers, realAmongMany, slices));
      measured.push({ verifiers, ...slices });
    }
    return { figures, series: enforcedSeries(measured) };
  } finally {
    await connection.close();
  }
}

/** An event of one target, as it goes over NATS. */
async function exampleOf({ mesh }: LatencyPlace, connection: NatsConnection): Promise<string> {
  const subscription = connection.subscribe(eventsSubject, { max: 1 });
  await connection.flush();
  await mesh.revoke(newJti());
  for await (const message of subscription) return Buffer.from(message.data).toString('latin1');
  throw new Error('no event came');
}

const newJti = () => randomBytes(16).toString('base64url');

/** Each kind of verifiers, and how it is broadcast to. */
async function startKinds(
  started: AsyncDisposableStack,
  { mesh, nats, committedAt }: LatencyPlace,
  connection: NatsConnection,
  bytes: string,
): Promise<Readonly<Record<Name, Kind>>> {
  const start = (own: Pick<VerifiersSettings, 'subject' | 'key'>) => {
    const { directory, tokenExchange } = mesh;
    const settings: VerifiersSettings = { directory, tokenExchange, nats, ...own };
    const startOn = async (cpu: number) =>
      started.use(await startMeasured<VerifiersQuestion, VerifiersAnswer>('measured-verifiers.ts', settings, cpu));
    return Promise.all([startOn(0), startOn(1)]);
  };
  const publisher = (subject: string, text: string) => {
    const payload = Buffer.from(text, 'latin1');
    return async () => {
      const askedNs = Number(process.hrtime.bigint());
      connection.publish(subject, payload);
      return { askedNs, fromNs: Promise.resolve(askedNs) };
    };
  };
  const revoke = async (jti: string) => {
    const askedNs = Number(process.hrtime.bigint());
    return { askedNs, fromNs: committedAt(await mesh.add([{ kind: 'token', value: jti }])) };
  };
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const anew = signedAnew(bytes, (data) => sign('sha256', data, privateKey));
  const key = publicKey.export({ format: 'jwk' });
  const [raw, signed, ours, few] = await Promise.all([
    start({ subject: rawSubject }),
    start({ subject: signedSubject, key }),
    start({ subject: eventsSubject }),
    start({ subject: eventsSubject }),
  ]);
  return {
    raw: { processes: raw, feedsOf: () => 0, broadcast: publisher(rawSubject, bytes) },
    signed: { processes: signed, feedsOf: () => 0, broadcast: publisher(signedSubject, anew) },
    ours: { processes: ours, feedsOf: (count) => count, broadcast: revoke },
    few: { processes: few, feedsOf: () => realAmongMany, broadcast: revoke },
  };
}

/** Opens verifiers until there are `count`. One has a processor to itself; many share both, with everything else. */
async function open({ processes, feedsOf }: Kind, count: number): Promise<void> {
  const part = (all: number, index: number) => Math.floor((all + (index === 0 ? 1 : 0)) / processes.length);
  const feeds = feedsOf(count);
  await Promise.all(processes.map((one, index) => one.ask({ type: 'open', feeds: part(feeds, index), plain: part(count - feeds, index) })));
}

/** Kinds side by side, in slices that were taken one right after the other. */
async function measureKinds(
  kinds: Readonly<Record<Name, Kind>>,
  names: readonly Name[],
  { slices, events, verifiers, report }: { slices: number; events: number; verifiers: number; report: SuiteOptions['report'] },
): Promise<Readonly<Record<Name, readonly Slice[]>>> {
  report(`${verifiers} verifiers: opening`);
  await Promise.all(names.map((name) => open(kinds[name], verifiers)));
  const measured: Record<Name, Slice[]> = { raw: [], signed: [], ours: [], few: [] };
  for (let round = -1; round < slices; round++) {
    report(`${verifiers} verifiers: round ${round + 1} of ${slices}`);
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const slice = await measureSlice(kinds[name], events);
      if (round >= 0) measured[name].push(slice); // the first is warm-up
    }
  }
  for (const name of names) await checkFresh(kinds[name], verifiers);
  return measured;
}

/** Among plain subscriptions, as many verifiers as two processors can be with little waiting for one another. */
const realAmongMany = 10;

/** The same text, signed by another key, with a signature that node:crypto takes as it is. */
function signedAnew(compact: string, signer: (data: Buffer) => Buffer): string {
  const text = compact.slice(0, compact.lastIndexOf('.'));
  return `${text}.${signer(Buffer.from(text, 'latin1')).toString('base64url')}`;
}

async function measureSlice({ processes, broadcast }: Kind, events: number): Promise<Slice> {
  const ask = (question: VerifiersQuestion) => Promise.all(processes.map((one) => one.ask(question)));
  const cpuOf = (answers: readonly VerifiersAnswer[]) => answers.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0);
  const cpuBefore = cpuOf(await ask({ type: 'look' }));
  const sent: { readonly askedNs: number; readonly fromNs: Promise<number>; readonly atNs: readonly number[] }[] = [];
  for (let event = 0; event < events; event++) {
    const jti = newJti();
    await ask({ type: 'arm', jti });
    const times = await broadcast(jti);
    sent.push({ ...times, atNs: (await ask({ type: 'collect' })).flatMap(({ atNs }) => atNs) });
  }
  const cpuAfter = cpuOf(await ask({ type: 'look' }));
  const delays: number[] = [];
  const last: number[] = [];
  const before: number[] = [];
  for (const { askedNs, fromNs, atNs } of sent) {
    const from = await fromNs;
    const ms = atNs.map((at) => (at - from) / 1e6);
    delays.push(...ms);
    last.push(Math.max(...ms));
    before.push((from - askedNs) / 1e6);
  }
  return { delays: Float64Array.from(delays).sort(), last, before, cpuMicros: (cpuAfter - cpuBefore) / delays.length };
}

async function checkFresh({ processes, feedsOf }: Kind, verifiers: number): Promise<void> {
  const feeds = feedsOf(verifiers);
  const answers = await Promise.all(processes.map((one) => one.ask({ type: 'look' })));
  const fresh = answers.reduce((sum, answer) => sum + answer.fresh, 0);
  if (fresh !== feeds) throw new Error(`${fresh} of ${feeds} verifiers are fresh by NATS`);
}
