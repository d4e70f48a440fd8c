import { appendFile, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Figure, holds } from './measure.ts';
import type { MeasuredSuite, RunFacts } from './measured-run.ts';

/** One suite of one run, a line of the file. Each figure is its median and its quartiles. */
export interface RecordedSuite extends RunFacts {
  readonly suite: string;
  /** How long it took; absent in lines that were written before this was kept. */
  readonly seconds?: number;
  readonly figures: Readonly<Record<string, readonly [number, number, number]>>;
}

/** How one figure stands to the recorded one of the same name. */
export interface Change {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  /** Either median lies outside of the other run's quartiles, and is 2 % away from the other: what is measured once in a run has no spread. */
  readonly isBeyondSpread: boolean;
  /** Beyond the spread, away from its target; `undefined` where there is no target, so that nobody can tell which way is worse. */
  readonly isWorse: boolean | undefined;
}

/** What changed in one suite. */
export interface Comparison {
  readonly suite: string;
  /** Absent: the suite was not recorded yet, in this length. */
  readonly since?: RecordedSuite;
  readonly changes: readonly Change[];
  /** Figures that were recorded and are not there now: somebody may have renamed them. */
  readonly missing: readonly string[];
  /** The same thing, measured twice, was further apart than it may be: the machine did something else, and no change counts. */
  readonly isBusy: boolean;
}

export const historyFile: string = fileURLToPath(new URL('history.jsonl', import.meta.url));

/** What another machine would measure as well: ratios between slices of one run, and bytes. */
function isComparable({ unit }: Figure): boolean {
  return unit === '×' || unit === 'B';
}

/** Adds a run to the end of the file. */
export async function recordRun(file: string, facts: RunFacts, measured: readonly MeasuredSuite[]): Promise<void> {
  const rounded = (value: number) => Number(value.toPrecision(4));
  const lines = measured.map(({ suite, seconds, figures }): RecordedSuite => {
    const kept = figures.filter(isComparable).map(({ name, value, spread }) => [name, [value, ...spread].map(rounded)]);
    return { suite, seconds: Math.round(seconds), ...facts, figures: Object.fromEntries(kept) };
  });
  await appendFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/**
 * @returns What was recorded so far, oldest first; nothing when there is no such file.
 * @throws {SyntaxError} A line of it is not JSON.
 */
export async function readHistory(file: string): Promise<readonly RecordedSuite[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  // the cast holds: nothing else writes the file
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as RecordedSuite]));
}

/** The last recorded run of a suite that had as many slices. */
export function lastRecorded(history: readonly RecordedSuite[], suite: string, quick: boolean): RecordedSuite | undefined {
  return history.findLast((recorded) => recorded.suite === suite && recorded.quick === quick);
}

/** Compares a suite with the last recorded run of it that had as many slices. */
export function compare(history: readonly RecordedSuite[], { quick }: RunFacts, { suite, figures }: MeasuredSuite): Comparison {
  const since = lastRecorded(history, suite, quick);
  const isBusy = figures.some((figure) => figure.name.startsWith('A/A') && !holds(figure));
  if (!since) return { suite, changes: [], missing: [], isBusy };
  const changes = figures.filter(isComparable).flatMap((figure) => {
    const recorded = since.figures[figure.name];
    return recorded ? [changeOf(figure, recorded)] : [];
  });
  const missing = Object.keys(since.figures).filter((name) => !figures.some((figure) => figure.name === name));
  return { suite, since, changes, missing, isBusy };
}

function changeOf({ name, value, spread, target }: Figure, [before, low, high]: readonly [number, number, number]): Change {
  const isFar = Math.abs(value - before) > leastChange * Math.abs(before);
  const isBeyondSpread = isFar && isOutside(value, [low, high]) && isOutside(before, spread);
  const isAway = target && ('atLeast' in target ? value < before : value > before);
  return { name, before, after: value, isBeyondSpread, isWorse: isAway === undefined ? undefined : isAway && isBeyondSpread };
}

const leastChange = 0.02;

function isOutside(value: number, [low, high]: readonly [number, number]): boolean {
  return value < low || value > high;
}

/** Whether a figure got worse that can be relied on. */
export function hasRegressed({ changes, isBusy }: Comparison): boolean {
  return !isBusy && changes.some(({ isWorse }) => isWorse);
}
