import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'nats';
import { type Kind, type KindName, type Kinds, type LatencyPlace, newJti, realAmongMany, startKinds } from './broadcast-kinds.ts';
import { amongManyFigures, enforcedFigures, enforcedSeries, type MeasuredSize, type Slice } from './latency-figures.ts';
import { medianOf, type SuiteOptions, type SuiteResult } from './measure.ts';
import type { VerifiersAnswer, VerifiersQuestion } from './measured-verifiers.ts';

/** From the commit of a revocation until every verifier refuses its token, beside the same bytes by NATS alone, and beside the least that does the same. */
export async function latencyFigures(
  place: LatencyPlace,
  { quick, report }: SuiteOptions,
): Promise<Pick<SuiteResult, 'figures' | 'checks'> & Required<Pick<SuiteResult, 'series'>>> {
  const connection = await connect({ servers: place.nats });
  try {
    await using started = new AsyncDisposableStack();
    report('starting processes for verifiers');
    const kinds = await startKinds(started, place, connection);
    const four = ['raw', 'signed', 'least', 'ours'] as const;
    const sizes = [
      { verifiers: 1, slices: quick ? 6 : 30, events: quick ? 15 : 50, names: four },
      { verifiers: 10, slices: quick ? 3 : 30, events: 10, names: four },
      { verifiers: 100, slices: quick ? 5 : 30, events: 5, names: four },
      { verifiers: 1_000, slices: quick ? 3 : 15, events: quick ? 1 : 2, names: [...four, 'few'] as const },
    ];
    const measured: MeasuredSize[] = [];
    for (const { verifiers, names, ...size } of sizes) {
      measured.push({ verifiers, ...(await measureKinds(kinds, names, { ...size, verifiers, report })) });
    }
    const figures = measured.flatMap((size) => [
      ...enforcedFigures(size),
      ...(size.few.length > 0 ? amongManyFigures(realAmongMany, size) : []),
    ]);
    return { figures, series: enforcedSeries(measured), checks: [await checkLeast(kinds)] };
  } finally {
    await connection.close();
  }
}

/** Opens verifiers until there are `count`. One has a processor to itself; many share both, with everything else. */
async function open({ processes, feedsOf }: Kind, count: number): Promise<void> {
  const part = (all: number, index: number) => Math.floor((all + (index === 0 ? 1 : 0)) / processes.length);
  const feeds = feedsOf(count);
  await Promise.all(processes.map((one, index) => one.ask({ type: 'open', feeds: part(feeds, index), plain: part(count - feeds, index) })));
}

/** Kinds side by side, in slices that were taken one right after the other. */
async function measureKinds(
  kinds: Kinds,
  names: readonly KindName[],
  { slices, events, verifiers, report }: { slices: number; events: number; verifiers: number; report: SuiteOptions['report'] },
): Promise<Readonly<Record<KindName, readonly Slice[]>>> {
  report(`${verifiers} verifiers: opening`);
  await Promise.all(names.map((name) => open(kinds[name], verifiers)));
  const measured: Record<KindName, Slice[]> = { raw: [], signed: [], least: [], ours: [], few: [] };
  /** How much sooner the least has committed than token-exchange had in the slice before: it waits for so long, and all are idle as long as they are there. */
  let aheadMs = 0;
  for (let round = -1; round < slices; round++) {
    report(`${verifiers} verifiers: round ${round + 1} of ${slices}`);
    const before = { least: 0, ours: 0 };
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const slice = await measureSlice(kinds[name], events, name === 'least' ? aheadMs : 0);
      if (name === 'least' || name === 'ours') before[name] = medianOf(slice.before);
      if (round >= 0) measured[name].push(slice); // the first is warm-up
    }
    aheadMs = Math.max(0, before.ours - before.least);
  }
  for (const name of names) await checkFresh(kinds[name], verifiers);
  return measured;
}

async function measureSlice({ processes, broadcast }: Kind, events: number, pauseMs: number): Promise<Slice> {
  const ask = (question: VerifiersQuestion) => Promise.all(processes.map((one) => one.ask(question)));
  const cpuOf = (answers: readonly VerifiersAnswer[]) => answers.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0);
  const cpuBefore = cpuOf(await ask({ type: 'look' }));
  const sent: { readonly askedNs: number; readonly fromNs: Promise<number>; readonly atNs: readonly number[] }[] = [];
  for (let event = 0; event < events; event++) {
    const jti = newJti();
    await ask({ type: 'arm', jti });
    if (pauseMs > 0) await delay(pauseMs);
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

/** A forged event reaches each verifier of the least first, and what it names counts as revoked by the genuine one only. */
async function checkLeast({ least: { processes }, leastIssuer }: Kinds): Promise<string> {
  const jti = newJti();
  const ask = (question: VerifiersQuestion) => Promise.all(processes.map((one) => one.ask(question)));
  const forgedOf = (answers: readonly VerifiersAnswer[]) => answers.reduce((sum, { forged }) => sum + forged, 0);
  await ask({ type: 'arm', jti });
  await leastIssuer.ask({ type: 'revoke', jti, forged: true });
  const { committedNs } = await leastIssuer.ask({ type: 'revoke', jti });
  const answers = await ask({ type: 'collect' });
  const noted = answers.flatMap(({ atNs }) => atNs);
  const early = noted.filter((at) => at < committedNs).length;
  if (early > 0 || forgedOf(answers) !== noted.length)
    throw new Error(`${forgedOf(answers)} of ${noted.length} plain verifiers refused a forged event, ${early} enforced it`);
  const { events, published } = await leastIssuer.ask({ type: 'count' });
  if (events !== published) throw new Error(`the least's database has ${events} of ${published} events`);
  return `${noted.length} verifiers of the least refused an event with a forged signature; its database has all of its ${events} events`;
}
