import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServer, startNatsServer } from '@tokenmesh/shop/demo';
import { type BenchMesh, startBenchMesh } from './bench-mesh.ts';
import type { SuiteOptions, SuiteResult } from './measure.ts';
import { checkRefusals, startMeasuredServer } from './measured-side.ts';
import { warmCallCheck } from './revocation-at-rest.ts';
import { coldStartFigures, coldStartSizes } from './revocation-cold-start.ts';
import { latencyFigures } from './revocation-latency.ts';
import { applyFigures, revokeFigures } from './revocation-rates.ts';
import { streamFigures } from './revocation-streams.ts';

type Part = Pick<SuiteResult, 'figures' | 'series' | 'checks'>;

/** How fast a revocation is enforced, what it takes to know a million of them, and how many may come: P13 to P16. */
export async function revocationSuite(options: SuiteOptions): Promise<SuiteResult> {
  const parts = [await enforcedFigures(options), await revokedFigures(options), await knownFigures(options)];
  return {
    suite: 'revocation',
    figures: parts.flatMap(({ figures }) => figures),
    series: parts.flatMap(({ series }) => series ?? []),
    checks: parts.flatMap(({ checks }) => checks),
  };
}

/** What happens when something is revoked, with nothing in the log at first. */
async function enforcedFigures(options: SuiteOptions): Promise<Part> {
  await using started = new AsyncDisposableStack();
  options.report('starting nats-server and token-exchange');
  const nats = await startNats(started, options.report);
  const commits = new Map<number, PromiseWithResolvers<number>>();
  const commitOf = (n: number) => {
    const known = commits.get(n) ?? Promise.withResolvers<number>();
    commits.set(n, known);
    return known;
  };
  const onCommitted = (n: number, atNs: number) => commitOf(n).resolve(atNs);
  const mesh = started.use(await startBenchMesh({ targets: 0, nats, onCommitted }));
  const { figures, series, checks: latencyChecks } = await latencyFigures({ mesh, nats, committedAt: (n) => commitOf(n).promise }, options);
  const checks = [...latencyChecks, ...(await checkGuardedServer(mesh)), await warmCallCheck(mesh)];
  return { figures: [...figures, ...(await applyFigures(nats, options))], series, checks };
}

/** How many may be revoked. */
async function revokedFigures(options: SuiteOptions): Promise<Part> {
  await using started = new AsyncDisposableStack();
  const nats = await startNats(started, options.report);
  const mesh = started.use(await startBenchMesh({ targets: 0, nats, cpu: 0 }));
  return { figures: await revokeFigures(mesh, options), checks: [] };
}

async function checkGuardedServer(mesh: BenchMesh): Promise<readonly string[]> {
  await using server = await startMeasuredServer(mesh, 'mesh');
  return await checkRefusals(mesh, server);
}

/** What it takes to know so much, of each size in turn. */
async function knownFigures(options: SuiteOptions): Promise<Part> {
  await using started = new AsyncDisposableStack();
  options.report(`starting token-exchanges with ${coldStartSizes.join(', ')} revocations`);
  const meshes = await Promise.all(
    coldStartSizes.map(async (targets): Promise<BenchMesh> => {
      const nats = await startNats(started, options.report);
      return started.use(await startBenchMesh({ targets, nats }));
    }),
  );
  const cold = await coldStartFigures(meshes, options);
  const largest = meshes.at(-1);
  if (!largest) throw new Error('unreachable: there are sizes');
  const streams = await streamFigures(largest, options);
  return { figures: [...cold.figures, ...streams.figures], series: cold.series, checks: streams.checks };
}

/** A nats-server of its own, which uses both processors. */
async function startNats(started: AsyncDisposableStack, report: (line: string) => void): Promise<string> {
  const found = await findNatsServer({ report });
  if (found.path === undefined) throw new Error(`the suite needs a nats-server: ${found.reason}`);
  const directory = await mkdtemp(join(tmpdir(), 'tokenmesh-bench-nats-'));
  started.defer(() => rm(directory, { recursive: true }));
  const server = await startNatsServer({ path: found.path, directory });
  started.defer(() => server.stop());
  execFileSync('taskset', ['-acp', '0,1', String(server.pid)]);
  return `127.0.0.1:${server.port}`;
}
