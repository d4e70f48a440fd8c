import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { protoRoot } from '@tokenmesh/proto';
import { startBenchMesh } from './bench-mesh.ts';
import { coldStart } from './cold-start.ts';
import { createInstalledProject } from './installed-project.ts';
import { type SuiteOptions, type SuiteResult, summarize } from './measure.ts';
import { checkRefusals, ratios, startMeasuredServer } from './measured-side.ts';

/** Programs of first-call/. */
const sides = {
  empty: 'Node alone, no call',
  http2: 'HTTP/2 of Node alone',
  bare: 'bare grpc-js',
  mesh: 'authenticated',
} as const;
type Name = keyof typeof sides;

/** What every program is told; those that need less read less. */
interface FirstCallSettings {
  /** Where certificates and keys are. */
  readonly certificates: string;
  /** Where the `.proto` files are. */
  readonly protos: string;
  /** `host:port`. */
  readonly tokenExchange: string;
  /** Of the service. */
  readonly port: number;
}

/**
 * How long a process takes from its start to the answer of its first call, as a program that has the published packages; and what it takes
 * token-exchange when a thousand of them start at once.
 */
export async function startupSuite({ quick, report }: SuiteOptions): Promise<SuiteResult> {
  await using started = new AsyncDisposableStack();
  report('building the packages, starting token-exchange, with 10 000 revocations, and two servers');
  const directory = await mkdtemp(join(tmpdir(), 'tokenmesh-bench-startup-'));
  started.defer(() => rm(directory, { recursive: true }));
  // the cast holds: they are its names
  const names = Object.keys(sides) as Name[];
  await createInstalledProject(
    directory,
    names.map((name) => join(import.meta.dirname, 'first-call', `${name}.mjs`)),
  );
  const mesh = started.use(await startBenchMesh({ cpu: 0 })); // what starts has a processor to itself, as on a machine of its own
  const guarded = started.use(await startMeasuredServer(mesh, 'mesh'));
  const bare = started.use(await startMeasuredServer(mesh, 'bare'));
  const start = (name: Name, env: NodeJS.ProcessEnv) => {
    const settings: FirstCallSettings = {
      ...{ certificates: mesh.directory, protos: protoRoot, tokenExchange: mesh.tokenExchange },
      port: (name === 'mesh' ? guarded : bare).port,
    };
    return millisToFirstCall(join(directory, `${name}.mjs`), settings, env);
  };
  const { NODE_COMPILE_CACHE: _, ...plain } = process.env;
  const caching = { ...plain, NODE_COMPILE_CACHE: join(directory, 'compile-cache') };
  const modes = { plain, caching } as const;
  const rounds = quick ? 12 : 40;
  const millis = { plain: byName(), caching: byName() };
  for (const env of [plain, caching, caching]) for (const name of names) await start(name, env); // the cache is full before anything counts
  let checks: readonly string[] = [];
  for (let round = 0; round < rounds; round++) {
    report(`round ${round + 1} of ${rounds}`);
    if (round === Math.floor(rounds / 2)) checks = await checkRefusals(mesh, guarded);
    for (const mode of ['plain', 'caching'] as const) {
      for (const name of round % 2 === 0 ? names : names.toReversed()) millis[mode][name].push(await start(name, modes[mode]));
    }
  }
  report('1 000 instances start at once');
  const storm = await coldStart(mesh);
  const over = (mode: keyof typeof modes) => ratios(millis[mode].mesh, millis[mode].bare);
  const figures = [
    summarize('P12 process start → first authenticated call / bare grpc-js', '×', over('plain'), { atMost: 1.6 }),
    summarize('P12 the same with NODE_COMPILE_CACHE at both', '×', over('caching'), { atMost: 1.6 }),
    ...storm.figures,
    ...names.map((name) => summarize(`process start → first call: ${sides[name]}`, 'ms', millis.plain[name])),
    ...names.map((name) => summarize(`   the same with NODE_COMPILE_CACHE: ${sides[name]}`, 'ms', millis.caching[name])),
  ];
  return { suite: 'startup', figures, checks: [...checks, storm.check] };
}

function byName(): Record<Name, number[]> {
  return { empty: [], http2: [], bare: [], mesh: [] };
}

/** Runs a program that writes the time of its first answer, by the clock that all processes of a machine share. */
async function millisToFirstCall(program: string, settings: FirstCallSettings, env: NodeJS.ProcessEnv): Promise<number> {
  const from = process.hrtime.bigint();
  const child = spawn(process.execPath, [program, JSON.stringify(settings)], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let written = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0 || !/^\d+$/.test(written)) throw new Error(`${program} ended with ${code} and without a first call`);
  return Number(BigInt(written) - from) / 1e6;
}
