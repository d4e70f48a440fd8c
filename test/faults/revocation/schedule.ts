import { createRandom, type Random } from '../random.ts';
import type { Fault } from './fault.ts';
import type { RevocableKind } from './trial-load.ts';

/** A fault at its time. */
export interface ScheduledFault {
  readonly atMs: number;
  readonly forMs: number;
  readonly fault: Fault;
  /** Of the choices that the fault makes itself. */
  readonly seed: string;
}

export interface ScheduledRevocation {
  readonly atMs: number;
  readonly kind: RevocableKind;
}

/** What is done to a world, and when: all of it is decided by the seed. */
export interface Schedule {
  readonly name: string;
  readonly seed: number;
  /** After this everything is healed. */
  readonly lengthMs: number;
  readonly faults: readonly ScheduledFault[];
  readonly revocations: readonly ScheduledRevocation[];
}

const shortestMs = 2_500;
const longestMs = 4_500;
/** One schedule in so many is long enough to see standard calls close: its first fault outlasts G, and what is revoked soon after it began. */
const longOneIn = 8;
const longMs = 7_500;
const mostFaults = 4;
const firstFaultMs = 100;
const fewestRevocations = 6;
const mostRevocations = 14;
/** A revocation follows a fault so soon that it meets what the fault does first. */
const soonMs = 150;
/** How often each kind is revoked, beside the others; a withdrawn key makes everybody ask for new ones, and ends nearly as much as `all`. */
const kinds: Readonly<Record<RevocableKind, number>> = {
  ...{ token: 10, session: 3, chain: 6, subject: 3, client: 2, actor: 2, grant: 2, audience: 1, key: 1, all: 1 },
};

/** The schedule of this number: one to four faults, overlapping where they do not hold the same, and revocations of all kinds. */
export function createSchedule(seed: number, index: number, faults: readonly Fault[]): Schedule {
  const random = createRandom(seed).of('schedule').of(index);
  const isLong = random.chance(1 / longOneIn);
  const lengthMs = isLong ? longMs : random.whole(shortestMs, longestMs);
  const chosen: ScheduledFault[] = [];
  const wanted = random.whole(1, mostFaults);
  // clocks that are off loosen the bound, and a long schedule is there to see it kept
  const fit = isLong ? faults.filter(({ holds }) => !holds.some((held) => held.endsWith('clock'))) : faults;
  if (isLong) {
    const fault = pickWeighted(
      fit.filter(({ blinds }) => blinds),
      ({ weight }) => weight,
      random,
    );
    const atMs = random.whole(firstFaultMs, 4 * firstFaultMs);
    chosen.push({ atMs, forMs: lengthMs - atMs, fault, seed: `${seed}/${index}/0` });
  }
  for (let attempt = 0; attempt < 4 * mostFaults && chosen.length < wanted; attempt++) {
    // each has its turn, and the others are chosen
    const inTurn = attempt === 0 ? fit[index % fit.length] : undefined;
    const fault = inTurn ?? pickWeighted(fit, ({ weight }) => weight, random);
    const [least, most] = fault.durationMs;
    const atMs = random.whole(firstFaultMs, Math.max(firstFaultMs, lengthMs - least));
    const forMs = Math.min(random.whole(least, isLong ? Math.max(most, longMs) : most), lengthMs - atMs);
    const next = { atMs, forMs, fault, seed: `${seed}/${index}/${chosen.length}` };
    if (forMs >= least && chosen.every((other) => !collide(next, other))) chosen.push(next);
  }
  const kindOf = () => pickWeighted(Object.entries(kinds), ([, weight]) => weight, random)[0] as RevocableKind; // its keys are kinds
  const times = [
    ...Array.from({ length: random.whole(fewestRevocations, mostRevocations) }, () => random.whole(0, lengthMs)),
    ...chosen.map(({ atMs }) => atMs + random.whole(0, soonMs)),
  ];
  const revocations = times.toSorted((a, b) => a - b).map((atMs) => ({ atMs, kind: kindOf() }));
  return { name: `schedule ${index}`, seed, lengthMs, faults: chosen.toSorted((a, b) => a.atMs - b.atMs), revocations };
}

/** One line: what goes wrong from when to when, and what is revoked when. */
export function describeSchedule({ name, lengthMs, faults, revocations }: Schedule): string {
  const broken = faults.map(({ atMs, forMs, fault }) => `${fault.name} ${atMs}–${atMs + forMs}`).join(', ');
  return `${name}: ${lengthMs} ms; ${broken}; revoking ${revocations.map(({ atMs, kind }) => `${kind} ${atMs}`).join(', ')}`;
}

function collide(a: ScheduledFault, b: ScheduledFault): boolean {
  const overlap = a.atMs < b.atMs + b.forMs && b.atMs < a.atMs + a.forMs;
  return overlap && a.fault.holds.some((held) => b.fault.holds.includes(held));
}

function pickWeighted<T>(all: readonly T[], weightOf: (one: T) => number, random: Random): T {
  let left = random.next() * all.reduce((sum, one) => sum + weightOf(one), 0);
  for (const one of all) {
    left -= weightOf(one);
    if (left < 0) return one;
  }
  throw new RangeError('there is nothing to choose from');
}
