import { styleText } from 'node:util';
import { type Comparison, hasRegressed } from './history.ts';
import { type Figure, holds } from './measure.ts';
import { describeRun, type MeasuredSuite } from './measured-run.ts';

/** As long as a quick suite may take. */
const quickSeconds = 60;

/** A suite for people: a line for each figure and each check. */
export function formatSuite({ suite, seconds, figures, checks }: MeasuredSuite, quick: boolean): string {
  const width = Math.max(...figures.map(({ name }) => name.length));
  const took = `${Math.round(seconds)} s`;
  const tooLong = quick && seconds > quickSeconds ? styleText('red', `, longer than ${quickSeconds} s`) : '';
  const lines = [...figures.map((figure) => row(figure, width)), ...checks.map((check) => `checked: ${check}`)];
  return [`${styleText('bold', suite)}  ${took}${tooLong}`, ...lines.map((line) => `  ${line}`)].join('\n');
}

function row(figure: Figure, width: number): string {
  const { name, value, unit, spread, target } = figure;
  const wanted = target ? ('atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`) : '';
  const verdict = target ? (holds(figure) ? styleText('green', 'holds') : styleText('red', 'missed')) : '';
  return `${name.padEnd(width)}  ${number(value).padStart(8)} ${unit.padEnd(2)}  (${spread.map(number).join(' … ')})  ${wanted} ${verdict}`.trimEnd();
}

/** What changed in a suite since it was recorded. */
export function formatComparison(comparison: Comparison): string {
  const { suite, since, changes, missing, isBusy } = comparison;
  if (!since) return `${styleText('bold', suite)}  never recorded in this length`;
  const width = Math.max(0, ...changes.map(({ name }) => name.length));
  const lines = changes.map(({ name, before, after, isBeyondSpread, isWorse }) => {
    const verdict = isWorse ? styleText('red', 'worse') : isBeyondSpread ? 'changed' : 'within the spread';
    const percent = ((after - before) / Math.abs(before)) * 100;
    return `  ${name.padEnd(width)}  ${number(before).padStart(8)} → ${number(after).padEnd(8)} ${signed(percent)}  ${verdict}`;
  });
  const gone = missing.map((name) => `  ${name}  not measured any more`);
  const busy = isBusy ? ['  not judged: A/A is further apart than it may be, the machine did something else'] : [];
  const title = `${styleText('bold', suite)}  since ${describeRun(since)}`;
  return [title, ...lines, ...gone, ...busy, ...(hasRegressed(comparison) ? [styleText('red', '  slower than it was')] : [])].join('\n');
}

function number(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
}

function signed(percent: number): string {
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(0)} %`.padStart(7);
}
