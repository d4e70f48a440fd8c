// `pnpm model [name…]`: see --help.
import { parseArgs } from 'node:util';
import { findSpin } from '../find-spin.ts';
import { explore } from './explore.ts';
import { replay } from './replay.ts';
import { createSmallWorld } from './small-world.ts';
import { quickSmallWorlds, smallWorlds } from './small-worlds.ts';
import { compileModel, simulate } from './spin.ts';
import { parseTrace } from './trace.ts';
import { replayOptionsOf, type Variant, variantsOf, type World, worlds } from './worlds.ts';

const help = `pnpm model [name…] [--quick] [--runs N] [--trail MUTANT]

Visits every reachable state of the models of revocation, of their mutants and probes, replays random runs of them on the code, and visits every
reachable state of the code itself in small worlds. Without names, all: ${worlds.map(({ name }) => name).join(', ')}.

  --quick          the size that pnpm test takes
  --runs N         random runs replayed for each model, default 100
  --trail MUTANT   print what happens to the verifier on the way to the violation, and nothing else
  --steps          with --trail: every step of every process
  --help           this text

Exit code 1 when a model does not hold, a mistake is not found, a state is not reachable, or the code does something else than the model.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string', default: '100' },
    trail: { type: 'string' },
    steps: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const chosen = worlds.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const hasTrail = values.trail === undefined || chosen.some((world) => allOf(world).some(({ name }) => name === values.trail));
const unknown = positionals.filter((name) => !worlds.some((world) => world.name === name));
const randomSteps = 20_000;
const mostStates = 5_000_000;
let failures = 0;

if (values.help) process.stdout.write(help);
else if (unknown.length > 0 || !hasTrail || !/^\d{1,6}$/.test(values.runs)) {
  const other = hasTrail ? '--runs takes a whole number' : `unknown mutant: ${values.trail}`;
  process.stderr.write(`${unknown.length > 0 ? `unknown model: ${unknown.join(', ')}` : other}\n\n${help}`);
  process.exitCode = 2;
} else await main();

function allOf(world: World): readonly Variant[] {
  const { mutants, probes } = variantsOf(world);
  return [...mutants, ...probes];
}

async function main(): Promise<void> {
  const spin = await findSpin((what) => process.stderr.write(`${what}\n`));
  if (spin.path === undefined) {
    process.stderr.write(`${spin.reason}; install spin and gcc, or name a spin in TOKENMESH_SPIN\n`);
    process.exitCode = 2;
    return;
  }
  if (values.trail === undefined) console.log(`spin ${spin.version}\n`);
  for (const world of chosen) {
    if (values.trail === undefined) await check(spin.path, world);
    else await printTrail(spin.path, world, values.trail);
  }
  if (positionals.length === 0 && values.trail === undefined) exploreSmallWorlds();
  if (failures > 0) process.exitCode = 1;
}

async function check(spin: string, world: World): Promise<void> {
  const defines = values.quick ? world.quickDefines : world.defines;
  console.log(`${world.name}: ${world.file} ${defines.join(' ')}`);
  const model = await compileModel(spin, world.file, defines, { memoryMb: 12_000, optimize: true });
  try {
    const { mutants, probes } = variantsOf(world);
    const intact = await model.search(0);
    row('', intact.violated === undefined, intact.states, intact.seconds, intact.violated ?? 'holds');
    for (const variant of [...mutants, ...probes]) {
      const { states, seconds, violated } = await model.search(variant.number);
      const trail = violated === undefined ? undefined : replay(parseTrace(await model.trail()), replayOptionsOf(world, defines));
      const verdict = judge(variant, trail);
      row(variant.name, verdict.good, states, seconds, `${verdict.text}: ${variant.about}`);
    }
  } finally {
    model.remove();
  }
  await replayRandomRuns(spin, world);
  console.log('');
}

function judge({ of }: Variant, trail: ReturnType<typeof replay> | undefined): { readonly good: boolean; readonly text: string } {
  if (trail === undefined) return { good: false, text: of === 'probe' ? 'NOT REACHED' : 'NOT FOUND' };
  if (of === 'probe') return trail.differences.length === 0 ? { good: true, text: 'reached' } : { good: false, text: 'THE CODE DIFFERS' };
  if (of === 'verifier' && trail.endsAsModel) return { good: false, text: 'THE CODE DOES IT TOO' };
  return { good: true, text: 'found' };
}

async function replayRandomRuns(spin: string, world: World): Promise<void> {
  const runs = Number(values.runs);
  const startedAt = performance.now();
  let [compared, fresh, different] = [0, 0, 0];
  for (let seed = 1; seed <= runs; seed++) {
    const trace = parseTrace(await simulate(spin, world.file, world.randomDefines, seed, randomSteps));
    const run = replay(trace, replayOptionsOf(world, world.randomDefines));
    compared += run.compared;
    fresh += run.fresh;
    different += run.differences.length;
    const [first] = run.differences;
    if (first) console.log(`  seed ${seed}, line ${first.at}: the model is ${first.model}, the code ${first.real}`);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  row('random runs', different === 0, compared, seconds, `${runs} runs, ${fresh} states of them fresh; ${different} differ`);
}

function exploreSmallWorlds(): void {
  console.log('the code itself, in small worlds');
  for (const [name, kind] of Object.entries(values.quick ? quickSmallWorlds : smallWorlds)) {
    const startedAt = performance.now();
    const { states, transitions, violation } = explore(createSmallWorld(kind), mostStates);
    const text = violation
      ? `${violation.problem}: ${violation.path.join('; ')}`
      : `holds, and recovers from each; ${transitions} transitions`;
    row(name, violation === undefined, states, (performance.now() - startedAt) / 1000, text);
  }
}

async function printTrail(spin: string, world: World, name: string): Promise<void> {
  const variant = allOf(world).find((candidate) => candidate.name === name);
  if (!variant) return;
  const model = await compileModel(spin, world.file, values.quick ? world.quickDefines : world.defines);
  try {
    const { violated } = await model.search(variant.number);
    if (violated === undefined) return;
    for (const line of (await model.trail()).split('\n')) if (values.steps || line.trim().startsWith('@')) console.log(line.trim());
  } finally {
    model.remove();
  }
}

function row(name: string, good: boolean, states: number, seconds: number, text: string): void {
  if (!good) failures++;
  const count = states.toLocaleString('en').replaceAll(',', ' ');
  console.log(`  ${good ? ' ' : '!'} ${name.padEnd(24)} ${count.padStart(12)} ${seconds.toFixed(2).padStart(8)} s  ${text}`);
}
