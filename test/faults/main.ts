// `pnpm faults [name…]`: see --help.
import { parseArgs, styleText } from 'node:util';
import type { Campaign, StoreKind, Verdict } from './campaign.ts';
import { kill } from './kill.ts';
import { takeLookedThrough } from './looked-through.ts';
import { races } from './races.ts';
import { refresh } from './refresh.ts';
import { revocation } from './revocation.ts';
import { rotation } from './rotation.ts';

const campaigns: Readonly<Record<string, Campaign>> = { kill, refresh, rotation, races, revocation };
const printedViolations = 20;
const reportEveryMs = 15_000;
let reportedAt = 0;
const storeKinds = ['sqlite', 'postgres'] as const satisfies readonly StoreKind[];

const help = `pnpm faults [name…] [--quick] [--seed N] [--rounds N] [--only N] [--store sqlite|postgres] [--long] [-o json]

Breaks real processes on purpose and judges what they answered. Without names, all campaigns:

${Object.entries(campaigns)
  .map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`)
  .join('\n')}

  --quick    under a minute a campaign, with every check
  --seed     of every random choice; default: another one each time, and it is printed
  --rounds   instead of a campaign's own number
  --only     one schedule of revocation alone, by its number
  --store    one engine only; default both. PostgreSQL is found as the tests find it
  --long     the longer form of rotation: 60 rotations in 10 minutes
  -o json    one JSON document on standard output
  --help     this text

Exit code 1 when anything happened that must not.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    seed: { type: 'string' },
    rounds: { type: 'string' },
    only: { type: 'string' },
    store: { type: 'string' },
    output: { type: 'string', short: 'o' },
    help: { type: 'boolean', default: false },
  },
});
const complaint = complain();
if (values.help) process.stdout.write(help);
else if (complaint) {
  process.stderr.write(`${complaint}\n\n${help}`);
  process.exitCode = 2;
} else await run(positionals.length > 0 ? positionals : Object.keys(campaigns));

function complain(): string | undefined {
  const unknown = positionals.filter((name) => !(name in campaigns));
  if (unknown.length > 0) return `unknown campaign: ${unknown.join(', ')}`;
  if (values.output !== undefined && values.output !== 'json') return `unknown output: ${values.output}`;
  if (values.store !== undefined && !storeKinds.some((kind) => kind === values.store)) return `unknown store: ${values.store}`;
  for (const name of ['seed', 'rounds'] as const) {
    if (values[name] !== undefined && !/^[1-9]\d{0,9}$/.test(values[name])) return `--${name} takes a whole number from 1 on`;
  }
  if (values.only !== undefined && !/^\d{1,6}$/.test(values.only)) return '--only takes the number of a schedule';
  return undefined;
}

async function run(names: readonly string[]): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1)); // what was started ends with this process
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31) + 1);
  const results: { readonly campaign: string; readonly seconds: number; readonly verdicts: readonly Verdict[] }[] = [];
  for (const name of names) {
    const campaign = campaigns[name];
    if (!campaign) continue;
    const startedAt = performance.now();
    const judged = await campaign.run({
      ...{ quick: values.quick, long: values.long, seed, report },
      rounds: values.rounds === undefined ? undefined : Number(values.rounds),
      only: values.only === undefined ? undefined : Number(values.only),
      stores: storeKinds.filter((kind) => values.store === undefined || values.store === kind),
    });
    const verdicts = [...judged, ofWhatWasWritten(name)];
    report('');
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    results.push({ campaign: name, seconds, verdicts });
    if (values.output !== 'json') for (const verdict of verdicts) print(verdict, seed, seconds);
  }
  if (values.output === 'json') process.stdout.write(`${JSON.stringify({ seed, campaigns: results }, null, 2)}\n`);
  if (results.some(({ verdicts }) => verdicts.some(({ violations }) => violations.length > 0))) process.exitCode = 1;
}

/** No campaign may leave a token or a key in what its processes print, in its records and histories, nor in what is said of it. */
function ofWhatWasWritten(campaign: string): Verdict {
  const { characters, found } = takeLookedThrough();
  const counts = { 'kB looked through for tokens and keys': Math.round(characters / 1000) };
  return { name: `${campaign}, what was written`, counts, violations: found };
}

/** One line that changes on a terminal, and one in a while in a log. */
function report(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
  else if (line !== '' && performance.now() - reportedAt > reportEveryMs) {
    process.stderr.write(`${line}\n`);
    reportedAt = performance.now();
  }
}

function print({ name, counts, violations, skipped }: Verdict, seed: number, seconds: number): void {
  const word = skipped ? 'skipped' : violations.length > 0 ? styleText('red', 'violated') : styleText('green', 'holds');
  console.log(`${styleText('bold', name)}: ${word}${skipped ? `: ${skipped}` : ` (seed ${seed}, ${seconds} s)`}`);
  for (const [what, count] of Object.entries(counts)) console.log(`  ${String(count).padStart(8)} ${what}`);
  for (const violation of violations.slice(0, printedViolations)) console.log(`  ${styleText('red', 'violation')}: ${violation}`);
  if (violations.length > printedViolations) console.log(`  and ${violations.length - printedViolations} more violations`);
}
