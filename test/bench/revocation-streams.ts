import { type BenchMesh, spiffeId } from './bench-mesh.ts';
import { type Figure, type SuiteOptions, summarize } from './measure.ts';
import { startMeasured } from './measured-process.ts';
import { startMeasuredServer } from './measured-side.ts';
import type { WatchersAnswer, WatchersQuestion, WatchersSettings } from './measured-watchers.ts';

const covered = 10_000;
const others = 1_000;
const connections = 20;

/**
 * A mass watermark against open streams: until the last stream that it covers has ended at its client. The others stay open, and each of them still
 * carries messages.
 */
export async function streamFigures(
  mesh: BenchMesh,
  { report }: SuiteOptions,
): Promise<{ readonly figures: readonly Figure[]; readonly checks: readonly string[] }> {
  report(`opening ${covered + others} streams`);
  await using server = await startMeasuredServer(mesh, 'mesh');
  const { directory, tokenExchange } = mesh;
  const settings: WatchersSettings = {
    directory,
    tokenExchange,
    port: server.port,
    connections,
    streams: { watcher: covered, gateway: others },
  };
  await using watchers = await startMeasured<WatchersQuestion, WatchersAnswer>('measured-watchers.ts', settings, 1);
  const { revocations, fresh, cpuMicros } = await server.ask({});
  if (!fresh || revocations !== mesh.revocations) throw new Error(`the server knows ${revocations} of ${mesh.revocations} revocations`);
  report('revoking everything of one client');
  await mesh.add([{ kind: 'client', value: spiffeId('watcher') }]);
  const acknowledgedNs = Number(process.hrtime.bigint());
  const ended = await watchers.ask({ type: 'await-end', workload: 'watcher' });
  const cpuMs = ((await server.ask({})).cpuMicros - cpuMicros) / 1_000;
  const left = await watchers.ask({ type: 'echo', workload: 'gateway' });
  if (ended.ended.TOKEN_REVOKED !== covered || ended.open > 0) throw new Error(`streams ended with ${JSON.stringify(ended.ended)}`);
  if (left.open !== others) throw new Error(`${others - left.open} streams of another client ended as well`);
  const ms = (ended.lastEndNs - acknowledgedNs) / 1e6;
  return {
    figures: [
      summarize(`F18 ${revocations} revocations, ${covered} streams covered by one more: acknowledged → last one ended`, 'ms', [ms], {
        atMost: 1_000,
      }),
      summarize('    processor time of their server meanwhile', 'ms', [cpuMs]),
    ],
    checks: [`${covered} streams ended with TOKEN_REVOKED, and ${others} of another client carry messages afterwards`],
  };
}
