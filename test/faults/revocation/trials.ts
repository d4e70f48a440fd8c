import { lookThrough } from '../looked-through.ts';
import { createHistory, type History, historyText } from './history.ts';
import { type Judgement, judge } from './oracle.ts';
import { runSchedule } from './run-schedule.ts';
import type { Schedule } from './schedule.ts';
import type { Design } from './trial-service.ts';
import { createWorld, type World } from './world.ts';

/** A schedule that has not ended by then, the start of its world included, hangs: that is a verdict as well. */
const endLimitMs = 240_000;

/** What came of one schedule. */
export interface Trial {
  readonly schedule: Schedule;
  readonly history?: History;
  readonly judgement?: Judgement;
  /** Why there is no judgement: the harness itself failed. */
  readonly failure?: string;
}

export interface TrialsOptions {
  readonly natsPath: string;
  /** libfaketime, for schedules that set clocks. */
  readonly faketime?: string | undefined;
  readonly schedules: readonly Schedule[];
  /** Worlds side by side. */
  readonly worldCount: number;
  readonly design?: Design;
  /** How long recovery may take; default 60 s. */
  readonly limitMs?: number;
  readonly report: (line: string) => void;
  /** Told of each trial when it is over. */
  readonly onTrial?: (trial: Trial) => void;
}

/**
 * Runs schedules in a few worlds side by side, one after the other in each. A world in which something was found is replaced by a new one. A schedule
 * that proved nothing, because the machine was too busy for its tokens to live until something happened, is run once more at the end.
 */
export async function runTrials({
  natsPath,
  faketime,
  schedules,
  worldCount,
  design = 'real',
  limitMs,
  report,
  onTrial = () => {},
}: TrialsOptions): Promise<readonly Trial[]> {
  const left = [...schedules];
  const trials: Trial[] = [];
  const again = new Set<Schedule>();
  let found = 0;

  async function work(): Promise<void> {
    let world: World | undefined;
    try {
      for (let schedule = left.shift(); schedule !== undefined; schedule = left.shift()) {
        report(`${trials.length} of ${schedules.length} schedules, ${found} violations`);
        const trial = await tryOne(schedule, async () => {
          world ??= await createWorld({ natsPath, faketime, design });
          return await runSchedule(world, schedule, limitMs === undefined ? {} : { limitMs });
        });
        // what a process that was ended says last belongs to nobody
        if (world) world.history = createHistory('between schedules');
        const isClean = trial.judgement?.violations.length === 0;
        const provesNothing = isClean && trial.judgement?.vacuous.length > 0;
        if (provesNothing && !again.has(schedule)) {
          again.add(schedule);
          left.push(schedule);
          continue;
        }
        trials.push(trial);
        onTrial(trial);
        found += trial.judgement?.violations.length ?? 1;
        if (isClean) continue;
        await world?.close();
        world = undefined;
      }
    } finally {
      await world?.close();
    }
  }
  await Promise.all(Array.from({ length: Math.min(worldCount, schedules.length) }, work));
  return trials;
}

async function tryOne(schedule: Schedule, run: () => Promise<History>): Promise<Trial> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`it did not end within ${endLimitMs / 1000} s`)), endLimitMs);
  try {
    const history = await Promise.race([run(), late]);
    lookThrough(`history of ${schedule.name}`, historyText(history));
    return { schedule, history, judgement: judge(history.facts) };
  } catch (error) {
    return { schedule, failure: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
