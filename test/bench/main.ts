// `pnpm bench [suite…]`: see --help.
import { execFileSync } from 'node:child_process';
import { parseArgs, styleText } from 'node:util';
import { callsSuite } from './calls.ts';
import { exchangeSuite } from './exchange.ts';
import { type Figure, holds, type SuiteOptions, type SuiteResult } from './measure.ts';
import { revocationSuite } from './revocation.ts';
import { streamsSuite } from './streams.ts';
import { telemetrySuite } from './telemetry.ts';
import { verifySuite } from './verify.ts';

const suites: Readonly<Record<string, (options: SuiteOptions) => Promise<SuiteResult>>> = {
  calls: callsSuite,
  streams: streamsSuite,
  verify: verifySuite,
  exchange: exchangeSuite,
  revocation: revocationSuite,
  telemetry: telemetrySuite,
};

const help = `pnpm bench [suite…] [--quick] [-o json]

Measures what the mesh costs beside baselines in the same run: real processes over loopback, interleaved slices, medians; the spread are
quartiles. Without suites, all of them: ${Object.keys(suites).join(', ')}.

  --quick    fewer and shorter slices, every figure, about a minute a suite
  -o json    one JSON document on standard output
  --help     this text

A target that is missed is printed as such and changes nothing about the exit code: the machine has a say in it. Exit code 1 when a suite broke, or
one of its checks failed. Needs Linux (/proc, taskset) and two processors.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    output: { type: 'string', short: 'o' },
    help: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !(name in suites));
if (values.help) process.stdout.write(help);
else if (unknown.length > 0 || (values.output !== undefined && values.output !== 'json')) {
  process.stderr.write(`unknown suite or output: ${[...unknown, values.output ?? ''].join(' ').trim()}\n\n${help}`);
  process.exitCode = 2;
} else await run(positionals.length > 0 ? positionals : Object.keys(suites));

async function run(names: readonly string[]): Promise<void> {
  execFileSync('taskset', ['-cp', '1', String(process.pid)]); // servers have the other processor to themselves
  const results: SuiteResult[] = [];
  for (const name of names) {
    const suite = suites[name];
    if (suite) results.push(await suite({ quick: values.quick, report }));
  }
  report('');
  if (values.output === 'json') process.stdout.write(`${JSON.stringify(results.map(toJson), null, 2)}\n`);
  else for (const result of results) print(result);
}

function report(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

function toJson({ suite, figures, checks }: SuiteResult) {
  return { suite, checks, figures: figures.map((figure) => ({ ...figure, holds: holds(figure) })) };
}

function print({ suite, figures, checks }: SuiteResult): void {
  const width = Math.max(...figures.map(({ name }) => name.length));
  console.log(styleText('bold', suite));
  for (const figure of figures) console.log(`  ${row(figure, width)}`);
  for (const check of checks) console.log(`  checked: ${check}`);
}

function row(figure: Figure, width: number): string {
  const { name, value, unit, spread, target } = figure;
  const number = (n: number) => (Math.abs(n) >= 100 ? n.toFixed(0) : n.toFixed(2));
  const wanted = target ? ('atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`) : '';
  const verdict = target ? (holds(figure) ? styleText('green', 'holds') : styleText('red', 'missed')) : '';
  return `${name.padEnd(width)}  ${number(value).padStart(8)} ${unit.padEnd(2)}  (${spread.map(number).join(' … ')})  ${wanted} ${verdict}`.trimEnd();
}
