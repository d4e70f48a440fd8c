import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawChart } from './draw-chart.ts';
import type { Series } from './measure.ts';

interface ChartOf {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** Default: linear, from 0. */
  readonly scaleY?: 'logarithmic';
}

/** What can be drawn. The bench writes each into `<name>.svg`; `x` is logarithmic in all of them. */
export const charts = {
  'throughput-against-in-flight-calls': {
    title: 'Throughput against calls in flight',
    x: 'calls in flight',
    y: 'calls per second',
  },
  'verification-against-cached-tokens': {
    title: 'A decision against cached tokens',
    x: 'tokens in the cache, called in turn',
    y: 'processor time of a decision, µs',
    scaleY: 'logarithmic',
  },
  'enforcement-against-verifiers': {
    title: 'From the commit of a revocation until it is enforced',
    x: 'verifiers on two processors',
    y: 'ms',
    scaleY: 'logarithmic',
  },
  'catch-up-against-entries': {
    title: 'Cold start of a verifier against revocations',
    x: 'revocations that are in force',
    y: 'ms until it is fresh',
    scaleY: 'logarithmic',
  },
} as const satisfies Readonly<Record<string, ChartOf>>;

export type ChartName = keyof typeof charts;

/**
 * Draws every chart that has a line.
 *
 * @param directory That is there.
 * @param run What is written beneath: when and on what it was measured.
 * @returns Paths of the files that were written.
 */
export async function writeCharts(directory: string, series: readonly Series[], run: string): Promise<readonly string[]> {
  const written: string[] = [];
  // the cast holds: they are its names
  for (const name of Object.keys(charts) as ChartName[]) {
    const lines = series.filter(({ chart }) => chart === name);
    if (lines.length === 0) continue;
    const file = join(directory, `${name}.svg`);
    await writeFile(file, drawChart({ ...charts[name], lines, run }));
    written.push(file);
  }
  return written;
}
