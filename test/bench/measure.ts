import { readdirSync, readFileSync } from 'node:fs';
import type { ChartName } from './charts.ts';

/** One measured figure. `target` is met when `value` is on the side that `atLeast` or `atMost` names. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Quartiles of the slices: half of them lie between. */
  readonly spread: readonly [number, number];
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
}

/** How one figure grows with something: a line of a chart. */
export interface Series {
  /** The chart that it is drawn into, with every other line of that name: `charts.ts` has its titles, axes and units. */
  readonly chart: ChartName;
  /** What the line shows, in its legend. */
  readonly name: string;
  /** In ascending order of `x`; `value` and `spread` are as in a figure. */
  readonly points: readonly ({ readonly x: number } & Pick<Figure, 'value' | 'spread'>)[];
}

export interface SuiteResult {
  readonly suite: string;
  readonly figures: readonly Figure[];
  /** Default: none. */
  readonly series?: readonly Series[];
  /** What was done to be sure that the right thing was measured; each line is a check that held. */
  readonly checks: readonly string[];
}

export interface SuiteOptions {
  /** Ends within a minute, with every figure and a wider spread. */
  readonly quick: boolean;
  readonly report: (line: string) => void;
}

export function holds({ value, target }: Figure): boolean {
  if (!target) return true;
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
}

/** The figure of a list of slices: their median, and the quartiles as spread. */
export function summarize(name: string, unit: string, slices: readonly number[], target?: Figure['target']): Figure {
  const sorted = [...slices].sort((a, b) => a - b);
  const spread = [quantileOf(sorted, 0.25), quantileOf(sorted, 0.75)] as const;
  return { name, unit, value: quantileOf(sorted, 0.5), spread, ...(target && { target }) };
}

/** Of an even number of values the median lies between two of them: the larger would be in favour of every ratio that is to be large. */
export function medianOf(values: readonly number[]): number {
  return quantileOf(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** In a straight line between the two values that are nearest; NaN when there is none. */
function quantileOf(sorted: readonly number[], part: number): number {
  const at = part * (sorted.length - 1);
  const [low = Number.NaN, high = low] = sorted.slice(Math.floor(at));
  return low + (high - low) * (at % 1);
}

/** One point of a series: the median of the slices at `x`, and their quartiles. */
export function pointAt(x: number, slices: readonly number[]): Series['points'][number] {
  const { value, spread } = summarize('', '', slices);
  return { x, value, spread };
}

/**
 * Processor time that the threads of a process have used so far, user and system, in microseconds, each as of when it last rested: a server is to be
 * asked between slices. Threads that have ended do not count. Linux only.
 */
export function cpuMicros(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  // nanoseconds; those of /proc/<pid>/stat are told in steps of 10 ms, a tenth of some slices
  const nanos = readdirSync(tasks).map((task) => Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]));
  return nanos.reduce((sum, each) => sum + each, 0) / 1_000;
}

/** The largest resident memory that a process has had, in megabytes. Linux only. */
export function peakMemoryMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Keeps `inFlight` calls going until `count` are done. Rejects with the first failure. */
export async function drive(count: number, inFlight: number, call: () => Promise<unknown>): Promise<void> {
  let started = 0;
  const worker = async () => {
    while (started < count) {
      started++;
      await call();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}
