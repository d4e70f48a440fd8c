import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Campaign, CampaignOptions, Verdict } from './campaign.ts';
import { type Equipment, findEquipment } from './revocation/equipment.ts';
import { faultsFor } from './revocation/faults.ts';
import { historyText } from './revocation/history.ts';
import { type Lateness, nearerToBound } from './revocation/oracle.ts';
import { tryParts } from './revocation/parts/try-parts.ts';
import { createSchedule, describeSchedule, type Schedule } from './revocation/schedule.ts';
import { runTrials, type Trial } from './revocation/trials.ts';
import { limitOfWeakMs, type WeakDesign } from './revocation/weak-designs.ts';

/** Worlds side by side: in each of them most of the time is waiting. */
const worldCount = 3;
/** In so many schedules everything that a schedule chooses from is chosen. */
const enoughForAll = 200;
/** What no weak design survives where it lasts for longer than G; among how many schedules such ones are looked for, and how many are taken. */
const telling = { fault: 'a broker that lives in the past', leastMs: 5_500, among: 1_000, quick: 2, count: 8 };
const weakDesigns = ['plain', 'receipt'] as const satisfies readonly WeakDesign[];
/** For each of them: they are tried at the same time. */
const weakWorldCount = 2;

/** The safety line of protocol section 7, under everything that can break around it. */
export const revocation: Campaign = {
  about: 'revocations of all kinds while NATS, token-exchange, verifiers and what is between them break (F3–F8)',
  async run(options) {
    const equipment = await findEquipment(options.report);
    if (equipment.natsPath === undefined) {
      return [{ name: 'revocation', counts: {}, violations: [], skipped: `${equipment.reason}; install nats-server` }];
    }
    if (options.only !== undefined) return [await tryReal(equipment, [], options)];
    const schedules = schedulesThatTell(equipment, options);
    const real = await tryReal(equipment, schedules, options);
    const weak = await Promise.all(weakDesigns.map((design) => tryWeak(design, equipment, schedules, options)));
    return [real, ...weak, ...(await tryParts(equipment, options))];
  },
};

/** The first schedules of this seed that no weak design survives. */
function schedulesThatTell(equipment: Equipment, { seed, quick }: CampaignOptions): readonly Schedule[] {
  const faults = faultsFor(equipment);
  const all = Array.from({ length: telling.among }, (_, index) => createSchedule(seed, index, faults));
  const fit = all.filter(({ faults: scheduled }) =>
    scheduled.some(({ fault, forMs }) => fault.name === telling.fault && forMs >= telling.leastMs),
  );
  return fit.slice(0, quick ? telling.quick : telling.count);
}

async function tryReal(equipment: Equipment, alsoFor: readonly Schedule[], options: CampaignOptions): Promise<Verdict> {
  const faults = faultsFor(equipment);
  const { quick, only, seed, rounds = quick ? 4 : 200, report } = options;
  const numbers = only === undefined ? Array.from({ length: rounds }, (_, index) => index) : [only];
  const byName = new Map([...numbers.map((index) => createSchedule(seed, index, faults)), ...alsoFor].map((one) => [one.name, one]));
  const schedules = [...byName.values()];
  if (only !== undefined) for (const schedule of schedules) report(describeSchedule(schedule));
  const violations: string[] = [];
  const onTrial = (trial: Trial) => void violations.push(...violationsOf(trial, seed));
  const trials = await runTrials({ ...equipment, schedules, worldCount, report: (line) => report(`revocation: ${line}`), onTrial });
  const applied = countFaults(trials);
  if (schedules.length >= enoughForAll) {
    for (const { name } of faults) if (!applied.has(name)) violations.push(`in no schedule there was the fault: ${name}`);
  }
  if (sum(trials, 'coveredStreams') === 0 && only === undefined) violations.push('no stream lived under a token that was revoked');
  const counts = {
    schedules: trials.length,
    ...countsOf(trials),
    ...countAlarms(trials),
    'nearest to the bound, critical': nearest(trials, 'critical'),
    'nearest to the bound, standard': nearest(trials, 'standard'),
    ...Object.fromEntries([...applied].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => [`× ${name}`, count])),
  };
  return { name: 'revocation', counts, violations };
}

/** The same schedules with verifiers that are built as they must not be: what the trial is worth. */
async function tryWeak(
  design: WeakDesign,
  equipment: Equipment,
  schedules: readonly Schedule[],
  options: CampaignOptions,
): Promise<Verdict> {
  const name = `revocation, weak design ${design}`;
  const report = (line: string) => options.report(`${name}: ${line}`);
  const trials = await runTrials({ ...equipment, schedules, worldCount: weakWorldCount, design, limitMs: limitOfWeakMs, report });
  const found = trials.reduce((all, { judgement }) => all + (judgement?.unsafe.length ?? 0), 0);
  const counts = { schedules: trials.length, ...countsOf(trials), 'violations of the safety line (there must be some)': found };
  const failures = trials.flatMap((trial) => (trial.failure === undefined ? [] : [`${trial.schedule.name}: ${trial.failure}`]));
  return { name, counts, violations: found > 0 ? failures : [...failures, 'it was not found out: the schedules prove nothing'] };
}

function violationsOf({ schedule, judgement, history, failure }: Trial, seed: number): string[] {
  const again = `again by --seed ${seed} --only ${schedule.name.split(' ').at(-1)}`;
  if (failure !== undefined) return [`${schedule.name}: ${failure} (${again})`];
  const { violations = [], vacuous = [] } = judgement ?? {};
  const found = [...violations, ...vacuous.map((what) => `it proves nothing: ${what}`)];
  if (found.length === 0 || !history) return found;
  const file = join(tmpdir(), `tokenmesh-revocation-${seed}-${schedule.name.replace(' ', '-')}.jsonl`);
  writeFileSync(file, historyText(history));
  return found.map((what) => `${schedule.name}: ${what} (${again}; ${file})`);
}

type Counted = keyof NonNullable<Trial['judgement']>['counts'];

function sum(trials: readonly Trial[], what: Counted): number {
  return trials.reduce((all, { judgement }) => all + (judgement?.counts[what] ?? 0), 0);
}

function countsOf(trials: readonly Trial[]): Record<string, number> {
  return {
    'revocations acknowledged': sum(trials, 'acknowledged'),
    'revocations whose answer never came': sum(trials, 'unacknowledged'),
    'calls judged': sum(trials, 'decisions'),
    'calls admitted': sum(trials, 'admitted'),
    'calls with a revoked token': sum(trials, 'covered'),
    'of them admitted, within the bound or not': sum(trials, 'coveredAdmitted'),
    streams: sum(trials, 'streams'),
    'streams under a revoked token': sum(trials, 'coveredStreams'),
  };
}

/** What verifiers raised an alarm about. */
function countAlarms(trials: readonly Trial[]): Record<string, number> {
  const alarms: Record<string, number> = {};
  for (const fact of trials.flatMap(({ history }) => history?.facts ?? [])) {
    if (fact.type !== 'verifier' || fact.what !== 'alarm') continue;
    const name = `alarms of verifiers: ${fact.detail}`;
    alarms[name] = (alarms[name] ?? 0) + 1;
  }
  return alarms;
}

function countFaults(trials: readonly Trial[]): Map<string, number> {
  const applied = new Map<string, number>();
  for (const fact of trials.flatMap(({ history }) => history?.facts ?? [])) {
    if (fact.type === 'fault' && fact.phase === 'begun') applied.set(fact.fault, (applied.get(fact.fault) ?? 0) + 1);
  }
  return applied;
}

function nearest(trials: readonly Trial[], of: 'critical' | 'standard'): string {
  const lateness = trials.reduce<Lateness | undefined>((found, { judgement }) => nearerToBound(found, judgement?.latest[of]), undefined);
  return lateness === undefined ? 'none' : `${Math.round(lateness.lateMs)} of ${lateness.boundMs} ms`;
}
