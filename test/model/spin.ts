import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const outputLimit = 256 * 1024 * 1024;

/** What one search of the state space came to. */
export interface Search {
  /** States that were visited; with a violation, until it was found. */
  readonly states: number;
  readonly seconds: number;
  /** The assertion that does not hold; `undefined` when every reachable state was visited and all hold. */
  readonly violated: string | undefined;
}

/** A model that was compiled: a verifier of it for every mutant. */
export interface CompiledModel {
  /**
   * Visits every reachable state, breadth first, and stops at the first violation, which is therefore one of the shortest.
   * @param mutant Number of the mistake that is made, or of the probe; 0: none.
   * @throws {Error} When the search was cut short: out of memory or of depth.
   */
  search(mutant: number): Promise<Search>;
  /** What the model printed on the way to the violation that the last search found. */
  trail(): Promise<string>;
  remove(): void;
}

/** Translates and compiles a model of this folder, in a directory of its own. */
export async function compileModel(
  spin: string,
  file: string,
  defines: readonly string[],
  options: { readonly memoryMb?: number; readonly optimize?: boolean } = {},
): Promise<CompiledModel> {
  const { memoryMb = 3_000, optimize = false } = options;
  const directory = copyModels();
  const cwd = { cwd: directory, maxBuffer: outputLimit };
  try {
    await run(spin, [...flags(defines), '-a', file], cwd);
    const build = [optimize ? '-O2' : '-O1', '-w', '-DSAFETY', '-DBFS', `-DMEMLIM=${memoryMb}`, '-o', 'pan', 'pan.c'];
    await run('gcc', build, cwd);
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  let last = 0;
  const env = () => ({ ...process.env, MUTANT: String(last) });
  return {
    async search(mutant) {
      last = mutant;
      // a small table to begin with: most mutants are found within thousands of states
      const { stdout } = await run('./pan', ['-E', mutant === 0 ? '-w24' : '-w20'], { ...cwd, env: env() });
      return readSearch(stdout);
    },
    trail: async () => (await run('./pan', ['-r'], { ...cwd, env: env() })).stdout,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A random run of a model: what it printed. The same seed gives the same run. */
export async function simulate(spin: string, file: string, defines: readonly string[], seed: number, steps: number): Promise<string> {
  const args = [...flags([...defines, 'MUTANT=0']), '-T', '-B', `-n${seed}`, `-u${steps}`, file];
  const directory = copyModels();
  try {
    return (await run(spin, args, { cwd: directory, maxBuffer: outputLimit })).stdout;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A directory of its own for each run: spin leaves files with fixed names where it works. */
function copyModels(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-model-'));
  for (const name of readdirSync(here)) if (name.endsWith('.pml')) copyFileSync(join(here, name), join(directory, name));
  return directory;
}

const flags = (defines: readonly string[]) => defines.map((define) => `-D${define}`);

function readSearch(output: string): Search {
  const violated = /^pan:\d+: assertion violated *(.*?)(?: \(at depth \d+\))?$/m.exec(output)?.[1];
  const states = Number(/^ *(\d+) states, stored/m.exec(output)?.[1]);
  const seconds = Number(/^pan: elapsed time ([\d.e+-]+) seconds/m.exec(output)?.[1] ?? 0);
  const isCut = /max search depth too small|out of memory|aborting|Search not completed/.test(output);
  if (!Number.isFinite(states) || !output.includes('assertion violations') || (violated === undefined && isCut)) {
    throw new Error(`the search was not completed:\n${output.slice(0, 2_000)}`);
  }
  if (violated === undefined && !/errors: 0$/m.test(output)) throw new Error(`another error than an assertion:\n${output.slice(0, 2_000)}`);
  return { states, seconds, violated };
}
