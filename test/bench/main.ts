// `pnpm bench [suite…]`: see --help.
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { type BenchArguments, help, parseBenchArguments } from './bench-arguments.ts';
import { writeCharts } from './charts.ts';
import { compare, hasRegressed, historyFile, lastRecorded, readHistory, recordRun } from './history.ts';
import type { SuiteOptions, SuiteResult } from './measure.ts';
import { type BrokenSuite, describeRun, type MeasuredSuite, runDocument, runFacts } from './measured-run.ts';
import { formatComparison, formatSuite, formatVerdicts } from './print-result.ts';
import { createProgress } from './progress.ts';
import { suites } from './suites.ts';

const wanted = readArguments();
if (wanted?.help) process.stdout.write(help);
else if (wanted) await run(wanted);

function readArguments(): BenchArguments | undefined {
  try {
    return parseBenchArguments(process.argv.slice(2));
  } catch (error) {
    giveUp(2, `${messageOf(error)}\n\n${help}`);
    return undefined;
  }
}

/** Whether what a run needs is there: said before it, and not when half an hour is over. */
async function isPrepared(charts: string | undefined): Promise<boolean> {
  try {
    if (charts !== undefined) await mkdir(charts, { recursive: true });
  } catch (error) {
    giveUp(2, `--charts needs a directory: ${messageOf(error)}\n`);
    return false;
  }
  try {
    execFileSync('taskset', ['-cp', '1', String(process.pid)], { stdio: 'pipe' }); // servers have the other processor to themselves
  } catch (error) {
    giveUp(1, `Linux with taskset and two processors is needed: ${messageOf(error)}\n`);
    return false;
  }
  return true;
}

function giveUp(exitCode: number, text: string): void {
  process.stderr.write(text);
  process.exitCode = exitCode;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a suite measured, or why it broke: what others of the same run measured, in half an hour perhaps, is not to be lost for that. */
async function measureSuite(name: string, options: SuiteOptions): Promise<SuiteResult | BrokenSuite> {
  try {
    return (await suites[name]?.run(options)) ?? { suite: name, error: 'there is no such suite' };
  } catch (error) {
    return { suite: name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

async function run({ names, quick, json, compare: isCompared, record, charts }: BenchArguments): Promise<void> {
  if (!(await isPrepared(charts))) return;
  const facts = runFacts(quick, Date.now);
  const history = await readHistory(historyFile);
  const expected = names.map((name) => ({ name, seconds: lastRecorded(history, name, quick)?.seconds }));
  const progress = createProgress(expected, process.stderr, () => performance.now());
  if (!json) console.log(describeRun(facts));
  const results: MeasuredSuite[] = [];
  const broken: BrokenSuite[] = [];
  for (const name of names) {
    progress.begin(name);
    const from = performance.now();
    const outcome = await measureSuite(name, { quick, report: progress.report });
    progress.end();
    if ('error' in outcome) {
      broken.push(outcome);
      giveUp(1, `${name} broke: ${outcome.error}\n`);
      continue;
    }
    const suite = { ...outcome, seconds: (performance.now() - from) / 1000 };
    results.push(suite);
    if (!json) console.log(formatSuite(suite, quick));
  }
  const comparisons = isCompared ? results.map((result) => compare(history, facts, result)) : [];
  if (comparisons.some(hasRegressed)) process.exitCode = 1;
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...runDocument(facts, results, broken), ...(isCompared && { comparisons }) }, null, 2)}\n`);
  } else {
    console.log(formatVerdicts(results, broken));
    for (const comparison of comparisons) console.log(formatComparison(comparison));
  }
  if (record) await recordRun(historyFile, facts, results);
  const series = results.flatMap((result) => result.series ?? []);
  if (charts === undefined) return;
  const drawn = await writeCharts(charts, series, describeRun(facts));
  for (const file of drawn) process.stderr.write(`drew ${file}\n`);
  if (drawn.length === 0) process.stderr.write(`drew nothing: no chart is of ${names.join(' or ')}\n`);
}
