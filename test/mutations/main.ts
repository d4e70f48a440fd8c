// `pnpm mutations [filter…]`: see --help.
import { fileURLToPath } from 'node:url';
import { parseArgs, styleText } from 'node:util';
import { allMutations } from './all-mutations.ts';
import { type CopyOfTree, copyTree } from './copy-of-tree.ts';
import { editsOf, type Mutation } from './mutation.ts';
import { isFinding, outcomesOf, runTests, type TestRun } from './run-tests.ts';

const help = `pnpm mutations [filter…] [-o json] [--list]

Shows that the tests named in docs/reference/conformance.md and those against known attacks (T-nn) fail when the defence is gone: takes one
defence after the other out of a copy of the tree and runs the test that stands for it there.

A filter is a text that one of these holds, in any case: what the mutation stands for (T-05, RFC 9449), its file, its test's file or title.
Without filters, all ${allMutations.length}.

  -o json    one JSON document on standard output
  --list     name the mutations, and run nothing
  --help     this text

Exit code 1 when a test passed without the defence, or could not be run.
`;

/** `killed`: the test failed, as it should. `survived`: it passed. `broken`: it neither passed nor failed for a reason that counts. */
type Verdict = 'killed' | 'survived' | 'broken';

interface Result {
  readonly mutation: Mutation;
  readonly verdict: Verdict;
  readonly seconds: number;
  /** What there is to say of a test that did not do as it should. */
  readonly why?: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: 'string', short: 'o' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const asJson = values.output === 'json';
const chosen = allMutations.filter((mutation) => positionals.length === 0 || positionals.some((filter) => isMeant(mutation, filter)));

if (values.help) process.stdout.write(help);
else if (values.output !== undefined && !asJson) refuse(`unknown output: ${values.output}`);
else if (chosen.length === 0) refuse(`no mutation is meant by: ${positionals.join(' ')}`);
else if (values.list) for (const mutation of chosen) console.log(nameOf(mutation));
else await main();

function refuse(why: string): void {
  process.stderr.write(`${why}\n\n${help}`);
  process.exitCode = 2;
}

function isMeant({ of, file, fails }: Mutation, filter: string): boolean {
  return [...of, file, fails.file, fails.title, fails.case ?? ''].some((text) => text.toLowerCase().includes(filter.toLowerCase()));
}

async function main(): Promise<void> {
  const startedAt = performance.now();
  const tree = copyTree(fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, ''));
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (interrupted = true));
  const results: Result[] = [];
  try {
    const intact = await runTests(
      tree.root,
      chosen.map(({ fails }) => fails),
    );
    for (const mutation of chosen) {
      const result = problemWhenIntact(mutation, intact) ?? (await tryMutation(tree, mutation));
      if (interrupted) break;
      results.push(result);
      if (!asJson) print(result);
    }
  } finally {
    tree.remove();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const count = (verdict: Verdict) => results.filter((result) => result.verdict === verdict).length;
  if (asJson) process.stdout.write(`${JSON.stringify({ seconds, results: results.map(toJson) }, null, 2)}\n`);
  else {
    const missing = interrupted ? `, interrupted before the other ${chosen.length - results.length}` : '';
    console.log(`${count('killed')} killed, ${count('survived')} survived, ${count('broken')} broken in ${seconds.toFixed(0)} s${missing}`);
  }
  if (count('killed') < chosen.length) process.exitCode = 1;
}

/** A test that does not run and pass as things are cannot show anything. */
function problemWhenIntact(mutation: Mutation, intact: TestRun): Result | undefined {
  const outcomes = outcomesOf(intact, mutation.fails);
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  if (outcomes.length > 0 && outcomes.every(({ passed }) => passed)) return undefined;
  const why = failures[0] ?? intact.brokenFiles[0] ?? 'there is no such test, or it is skipped here';
  return { mutation, verdict: 'broken', seconds: 0, why: `before anything was changed: ${why}` };
}

async function tryMutation(tree: CopyOfTree, mutation: Mutation): Promise<Result> {
  const startedAt = performance.now();
  let restore = () => {};
  try {
    restore = tree.edit(editsOf(mutation));
    const run = await runTests(tree.root, [mutation.fails], { bail: true });
    return { mutation, ...judge(mutation, run), seconds: (performance.now() - startedAt) / 1000 };
  } catch (error) {
    // True: neither an edit nor a run throws anything else.
    return { mutation, verdict: 'broken', seconds: (performance.now() - startedAt) / 1000, why: (error as Error).message };
  } finally {
    restore();
  }
}

function judge(mutation: Mutation, run: TestRun): Pick<Result, 'verdict' | 'why'> {
  const outcomes = outcomesOf(run, mutation.fails);
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  if (failures.some(isFinding)) return { verdict: 'killed' };
  if (outcomes.length > 0 && outcomes.every(({ passed }) => passed)) return { verdict: 'survived' };
  return { verdict: 'broken', why: failures[0] ?? run.brokenFiles[0] ?? 'the test did not run' };
}

function nameOf({ of, file, fails }: Mutation): string {
  return `${of.join(', ')}  ${file}: ${fails.title}${fails.case ? ` (${fails.case})` : ''}`;
}

function print({ mutation, verdict, seconds, why }: Result): void {
  const text = verdict === 'killed' ? styleText('green', verdict) : styleText('red', verdict);
  console.log(`${text.padEnd(8 + text.length - verdict.length)} ${seconds.toFixed(1).padStart(5)} s  ${nameOf(mutation)}`);
  if (verdict === 'killed') return;
  for (const { file, find, put } of editsOf(mutation)) console.log(`    ${file}\n    - ${find}\n    + ${put}`);
  if (why) console.log(`    ${why.split('\n', 8).join('\n    ')}`);
}

function toJson({ mutation, ...result }: Result) {
  return { ...result, ...mutation };
}
