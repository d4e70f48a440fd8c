// `pnpm bench [suite…]`: see --help.
import { execFileSync } from 'node:child_process';
import { type BenchArguments, help, parseBenchArguments } from './bench-arguments.ts';
import { writeCharts } from './charts.ts';
import { compare, hasRegressed, historyFile, lastRecorded, readHistory, recordRun } from './history.ts';
import { describeRun, type MeasuredSuite, runDocument, runFacts } from './measured-run.ts';
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
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${help}`);
    process.exitCode = 2;
    return undefined;
  }
}

async function run({ names, quick, json, compare: isCompared, record, charts }: BenchArguments): Promise<void> {
  execFileSync('taskset', ['-cp', '1', String(process.pid)]); // servers have the other processor to themselves
  const facts = runFacts(quick, Date.now);
  const history = await readHistory(historyFile);
  const expected = names.map((name) => ({ name, seconds: lastRecorded(history, name, quick)?.seconds }));
  const progress = createProgress(expected, process.stderr, () => performance.now());
  if (!json) console.log(describeRun(facts));
  const results: MeasuredSuite[] = [];
  for (const name of names) {
    progress.begin(name);
    const from = performance.now();
    const result = await suites[name]?.run({ quick, report: progress.report });
    progress.end();
    if (!result) continue;
    const suite = { ...result, seconds: (performance.now() - from) / 1000 };
    results.push(suite);
    if (!json) console.log(formatSuite(suite, quick));
  }
  const comparisons = isCompared ? results.map((result) => compare(history, facts, result)) : [];
  if (comparisons.some(hasRegressed)) process.exitCode = 1;
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...runDocument(facts, results), ...(isCompared && { comparisons }) }, null, 2)}\n`);
  } else {
    console.log(formatVerdicts(results));
    for (const comparison of comparisons) console.log(formatComparison(comparison));
  }
  if (record) await recordRun(historyFile, facts, results);
  const series = results.flatMap((result) => result.series ?? []);
  if (charts !== undefined)
    for (const file of await writeCharts(charts, series, describeRun(facts))) process.stderr.write(`drew ${file}\n`);
}
