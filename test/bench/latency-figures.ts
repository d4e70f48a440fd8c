import type { KindName } from './broadcast-kinds.ts';
import { type Figure, medianOf, pointAt, type Series, summarize } from './measure.ts';
import { ratios } from './measured-side.ts';

/** What one slice of events took. */
export interface Slice {
  /** Of every event at every verifier, in milliseconds, in ascending order. */
  readonly delays: Float64Array;
  /** Of every event at its last verifier. */
  readonly last: readonly number[];
  /** From the request until the moment from which the way of the event is counted. */
  readonly before: readonly number[];
  /** Processor time of all the verifiers, per event and verifier. */
  readonly cpuMicros: number;
}

type Slices = readonly Slice[];
type Read = (slice: Slice) => number;

const part = (share: number): Read => {
  return ({ delays }) => delays[Math.floor(share * delays.length)] ?? Number.NaN;
};
const [p50, p99] = [part(0.5), part(0.99)];
const last: Read = (slice) => medianOf(slice.last);

/** What was measured with so many verifiers. */
export interface MeasuredSize extends Readonly<Record<KindName, Slices>> {
  readonly verifiers: number;
}

/**
 * Feeds beside plain subscriptions (`raw`), beside those that check one signature each (`signed`), and beside the least that hears of signed and durable
 * revocations.
 */
export function enforcedFigures({ verifiers, raw, signed, least, ours }: MeasuredSize): readonly Figure[] {
  const many = nameOf(verifiers);
  const isMost = verifiers === 1_000;
  const isTarget = verifiers === 1 || verifiers === 100;
  const id = isTarget ? 'P13 ' : '    ';
  const absolute = (label: string, of: Slices, p99Target?: Figure['target']) => [
    summarize(`${many}: ${label}, p50`, 'ms', of.map(p50)),
    summarize(`${many}: ${label}, p99`, 'ms', of.map(p99), p99Target),
    ...(verifiers > 1 ? [summarize(`${many}: ${label}, last`, 'ms', of.map(last))] : []),
    summarize(
      `${many}: ${label}, CPU each, checkpoints meanwhile included`,
      'µs',
      of.map(({ cpuMicros }) => cpuMicros),
    ),
  ];
  return [
    ...(isMost
      ? [summarize(`P14 ${many}: last enforced / raw NATS last`, '×', over(ours, raw, last), { atMost: 1.2 })]
      : [
          summarize(`${id}${many}: commit → enforced / raw NATS, p50`, '×', over(ours, raw, p50), isTarget ? { atMost: 1.5 } : undefined),
          summarize(`${id}${many}: commit → enforced / raw NATS, p99`, '×', over(ours, raw, p99), isTarget ? { atMost: 2 } : undefined),
        ]),
    summarize(`    ${many}: the same / raw NATS and one bare signature check each, p50`, '×', over(ours, signed, p50)),
    summarize(`    ${many}: the same / raw NATS and one bare signature check each, last`, '×', over(ours, signed, last)),
    summarize(`    ${many}: the same / the least: committed, published, checked, p50`, '×', over(ours, least, p50)),
    summarize(`    ${many}: the same / the least: committed, published, checked, last`, '×', over(ours, least, last)),
    isMost
      ? summarize(`    ${many}: the least: committed, published, checked / raw NATS, last`, '×', over(least, raw, last))
      : summarize(`    ${many}: the least: committed, published, checked / raw NATS, p50`, '×', over(least, raw, p50)),
    ...absolute('commit → enforced', ours, isMost ? { atMost: 100 } : undefined),
    ...absolute('raw NATS publish → callback', raw),
    ...absolute('raw NATS and one signature check', signed),
    ...absolute('the least: committed, published, checked', least),
    summarize(
      `${many}: Revoke asked → commit, waiting while others come included`,
      'ms',
      ours.map(({ before }) => medianOf(before)),
    ),
  ];
}

/** A few feeds among plain subscriptions to the same events, which stands for verifiers on machines of their own. */
export function amongManyFigures(real: number, { verifiers, raw, few }: MeasuredSize): readonly Figure[] {
  const many = `${real} verifiers among ${verifiers - real} plain subscriptions`;
  return [
    summarize(`    ${many}: last of all / raw NATS last`, '×', over(few, raw, last)),
    summarize(`    ${many}: last of all`, 'ms', few.map(last)),
    summarize(`    ${many}: all, p99`, 'ms', few.map(p99)),
  ];
}

/** How it grows with the verifiers that share two processors. */
export function enforcedSeries(sizes: readonly MeasuredSize[]): readonly Series[] {
  const chart = 'enforcement-against-verifiers';
  const line = (name: string, of: (size: MeasuredSize) => Slices): Series => ({
    ...{ chart, name },
    points: sizes.map((size) => pointAt(size.verifiers, of(size).map(last))),
  });
  return [
    line('the last verifier refuses', ({ ours }) => ours),
    line('committed, published and checked, the last one', ({ least }) => least),
    line('raw NATS and a signature check, the last one', ({ signed }) => signed),
    line('raw NATS, the last subscriber', ({ raw }) => raw),
  ];
}

function over(a: Slices, b: Slices, read: Read): readonly number[] {
  return ratios(a.map(read), b.map(read));
}

function nameOf(verifiers: number): string {
  return `${verifiers === 1_000 ? '1 000' : verifiers} verifier${verifiers === 1 ? '' : 's'}`;
}
