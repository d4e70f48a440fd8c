import type { Verdict } from '../../campaign.ts';
import type { Equipment } from '../equipment.ts';
import type { AppliedFault, Fault } from '../fault.ts';
import type { Fact, History } from '../history.ts';
import { type Judgement, judge } from '../oracle.ts';
import { runSchedule } from '../run-schedule.ts';
import type { Schedule } from '../schedule.ts';
import type { RevocableKind } from '../trial-load.ts';
import type { World } from '../world.ts';

/** What a part of the campaign runs with. */
export interface PartOptions extends Equipment {
  readonly quick: boolean;
  readonly seed: number;
  readonly report: (line: string) => void;
}

/** A part of the campaign with a schedule of its own, for what needs another surrounding than random schedules, or more time. */
export interface Part {
  readonly name: string;
  /** Takes everything down that it started, whatever happens. */
  run(options: PartOptions): Promise<Pick<Verdict, 'counts' | 'violations' | 'skipped'>>;
}

/** What is done in one trial of a part. */
export interface PartTrial {
  readonly name: string;
  readonly seed: number;
  /** When the fault begins and how long it lasts. */
  readonly atMs: number;
  readonly forMs: number;
  /** Default 500 ms after the fault. */
  readonly lengthMs?: number;
  apply(world: World): Promise<AppliedFault>;
  /** Default: no verifier may need longer to recover than 20 s. */
  readonly limitMs?: number;
  readonly revokeEveryMs?: number;
}

/** A trial as it was seen and judged. */
export interface JudgedTrial {
  readonly history: History;
  readonly judgement: Judgement;
  /** With the name of the trial before each. */
  readonly violations: readonly string[];
}

const revokeEveryMs = 250;
/** Watermarks over everything are left out: after one nothing is left that was issued before. */
const kinds: readonly RevocableKind[] = ['token', 'chain', 'session', 'token', 'subject', 'actor'];

/** Runs one fault at a fixed time under load, with a revocation every quarter of a second, and judges what was seen. */
export async function tryFault(world: World, trial: PartTrial): Promise<JudgedTrial> {
  const { name, seed, atMs, forMs, lengthMs = atMs + forMs + 500, apply, limitMs, revokeEveryMs: everyMs = revokeEveryMs } = trial;
  const fault: Fault = { name, holds: [], weight: 1, durationMs: [forMs, forMs], apply };
  const revocations = Array.from({ length: Math.floor(lengthMs / everyMs) }, (_, index) => {
    const kind = kinds[index % kinds.length] ?? 'token';
    return { atMs: index * everyMs, kind };
  });
  const schedule: Schedule = { name, seed, lengthMs, faults: [{ atMs, forMs, fault, seed: `${seed}/${name}` }], revocations };
  const history = await runSchedule(world, schedule, limitMs === undefined ? {} : { limitMs });
  const judgement = judge(history.facts);
  return { history, judgement, violations: judgement.violations.map((what) => `${name}: ${what}`) };
}

/** How long verifiers took to be right again after everything was healed, in milliseconds; the longest. */
export function recoveryMs({ facts }: History): number {
  const healedAt = facts.find(({ type }) => type === 'healed')?.at ?? 0;
  const recovered = facts.filter((fact): fact is Extract<Fact, { type: 'recovered' }> => fact.type === 'recovered');
  return Math.round(recovered.reduce((longest, { at }) => Math.max(longest, at - healedAt), 0));
}
