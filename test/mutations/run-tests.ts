import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Mutation } from './mutation.ts';

type NamedTest = Mutation['fails'];

/** How one test ended. */
export interface TestOutcome {
  /** Path from the root. */
  readonly file: string;
  /** Titles of its groups and its own, with blanks between. */
  readonly fullName: string;
  readonly passed: boolean;
  /** What it said, one text for each failure. */
  readonly failures: readonly string[];
}

/** What a run of vitest came to. */
export interface TestRun {
  /** Of the tests that ran, skipped ones left out. */
  readonly outcomes: readonly TestOutcome[];
  /** Why a file could not be run at all. */
  readonly brokenFiles: readonly string[];
}

/**
 * Runs the named tests of a tree with vitest, in a process of their own.
 *
 * @param options.bail End at the first failure.
 * @throws {Error} Not one file was begun: with what vitest printed.
 */
export async function runTests(root: string, tests: readonly NamedTest[], options: { readonly bail?: boolean } = {}): Promise<TestRun> {
  const files = [...new Set(tests.map(({ file }) => file))];
  const pattern = [...new Set(tests.map(patternOf))].join('|');
  const report = join(root, 'vitest-report.json');
  rmSync(report, { force: true });
  const args = [
    'run',
    ...files,
    `--testNamePattern=${pattern}`,
    '--reporter=json',
    `--outputFile=${report}`,
    ...(options.bail ? ['--bail=1'] : []),
  ];
  const printed = await run(root, [join(root, 'node_modules/vitest/vitest.mjs'), ...args], files.length * limitPerFileMs);
  const outcome = existsSync(report) ? readReport(root, readFileSync(report, 'utf8')) : undefined;
  if (!outcome) throw new Error(`vitest ran no test file:\n${printed}`);
  return outcome;
}

/** The outcomes of this test; several when it has cases. */
export function outcomesOf(run: TestRun, test: NamedTest): readonly TestOutcome[] {
  const pattern = new RegExp(patternOf(test));
  return run.outcomes.filter(({ file, fullName }) => file === test.file && pattern.test(fullName));
}

/**
 * Whether a failure shows that a defence is missing: an expectation did not hold, or something came about that should not. A mutation that
 * breaks the program proves nothing, so the errors of a broken program do not count.
 */
export function isFinding(failure: string): boolean {
  return !/^(?:SyntaxError|ReferenceError|TypeError)\b/.test(failure);
}

/** A regular expression for the full name of a test, which ends with its title; in a title `%s` and its like, or `$name`, stand for any text. */
function patternOf({ title, case: kind }: NamedTest): string {
  const titled = title.replaceAll(/%[sdifjo%]|\$[a-z][\w.]*|[\\^$.*+?()[\]{}|/]/gi, (part) => (/^[%$]./.test(part) ? '.*' : `\\${part}`));
  return kind === undefined ? `${titled}$` : `^(?=.*${RegExp.escape(kind)}).*${titled}$`;
}

/** Undefined when not one file was begun: the set-up failed. */
function readReport(root: string, text: string): TestRun | undefined {
  // True: the form of vitest's JSON reporter.
  const { testResults } = JSON.parse(text) as {
    readonly testResults: readonly {
      readonly name: string;
      readonly message: string;
      readonly assertionResults: readonly {
        readonly fullName: string;
        readonly status: string;
        readonly failureMessages: readonly string[];
      }[];
    }[];
  };
  if (testResults.length === 0) return undefined;
  return {
    outcomes: testResults.flatMap(({ name, assertionResults }) =>
      assertionResults
        .filter(({ status }) => status === 'passed' || status === 'failed')
        .map(({ fullName, status, failureMessages }) => ({
          file: name.slice(root.length + 1),
          fullName,
          passed: status === 'passed',
          failures: failureMessages,
        })),
    ),
    brokenFiles: testResults.flatMap(({ message }) => (message ? [message] : [])),
  };
}

/** Longer than any test file takes; a mutation may have made an endless loop. */
const limitPerFileMs = 5 * 60_000;

/** Runs to the end of the process and of all that it started, and returns what they printed. */
async function run(root: string, args: readonly string[], limitMs: number): Promise<string> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
  const stop = () => endGroup(child.pid);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const timer = setTimeout(stop, limitMs);
  await new Promise<void>((resolve, reject) => child.once('error', reject).once('exit', () => resolve()));
  clearTimeout(timer);
  process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop);
  stop();
  return chunks.join('');
}

// A test that fails may leave servers behind. They are in the group that `detached` made.
function endGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch (error) {
    // True: kill throws nothing else. There is no such process when all of them have ended.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
