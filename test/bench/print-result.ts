import { styleText } from 'node:util';
import { type Comparison, hasRegressed } from './history.ts';
import { type Figure, holds } from './measure.ts';
import { type BrokenSuite, describeRun, type MeasuredSuite } from './measured-run.ts';

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
  const { name, spread, target } = figure;
  const verdict = target ? verdictOf(figure) : '';
  return `${name.padEnd(width)}  ${measured(figure)}  (${spread.map(number).join(' … ')})  ${wanted(figure)} ${verdict}`.trimEnd();
}

/** The verdict on each figure that has a target, of all suites: those that miss it first; and which suites have none, for they broke. */
export function formatVerdicts(results: readonly MeasuredSuite[], broken: readonly BrokenSuite[] = []): string {
  const judged = results.flatMap(({ suite, figures }) => figures.filter(({ target }) => target).map((figure) => ({ suite, figure })));
  const missed = judged.filter(({ figure }) => !holds(figure));
  const held = judged.filter(({ figure }) => holds(figure));
  const suiteWidth = Math.max(0, ...judged.map(({ suite }) => suite.length));
  const width = Math.max(0, ...judged.map(({ figure }) => figure.name.length));
  const lines = [...missed, ...held].map(
    ({ suite, figure }) =>
      `  ${verdictOf(figure)}  ${suite.padEnd(suiteWidth)}  ${figure.name.padEnd(width)}  ${measured(figure)}  ${wanted(figure)}`,
  );
  const without = broken.map(({ suite }) => styleText('red', `  ${suite} broke: none of its targets was looked at`));
  return [styleText('bold', `${held.length} of ${judged.length} targets are met`), ...lines, ...without].join('\n');
}

function verdictOf(figure: Figure): string {
  return holds(figure) ? styleText('green', 'holds ') : styleText('red', 'missed');
}

function measured({ value, unit }: Figure): string {
  return `${number(value).padStart(8)} ${unit.padEnd(2)}`;
}

function wanted({ target }: Figure): string {
  if (!target) return '';
  return 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`;
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
