// `pnpm bench [suite…]`: see --help.
import { execFileSync } from 'node:child_process';
import { type BenchArguments, help, parseBenchArguments } from './bench-arguments.ts';
import { writeCharts } from './charts.ts';
import { compare, hasRegressed, historyFile, readHistory, recordRun } from './history.ts';
import { describeRun, type MeasuredSuite, runDocument, runFacts } from './measured-run.ts';
import { formatComparison, formatSuite } from './print-result.ts';
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
  const history = isCompared ? await readHistory(historyFile) : [];
  const results: MeasuredSuite[] = [];
  for (const name of names) {
    const from = performance.now();
    const result = await suites[name]?.run({ quick, report });
    if (result) results.push({ ...result, seconds: (performance.now() - from) / 1000 });
  }
  report('');
  const comparisons = isCompared ? results.map((result) => compare(history, facts, result)) : [];
  if (comparisons.some(hasRegressed)) process.exitCode = 1;
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...runDocument(facts, results), ...(isCompared && { comparisons }) }, null, 2)}\n`);
  } else {
    console.log(describeRun(facts));
    for (const result of results) console.log(formatSuite(result, quick));
    for (const comparison of comparisons) console.log(formatComparison(comparison));
  }
  if (record) await recordRun(historyFile, facts, results);
  const series = results.flatMap((result) => result.series ?? []);
  if (charts !== undefined)
    for (const file of await writeCharts(charts, series, describeRun(facts))) process.stderr.write(`drew ${file}\n`);
}

function report(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}
