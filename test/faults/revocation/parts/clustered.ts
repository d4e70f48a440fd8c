import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AppliedFault } from '../fault.ts';
import { type NatsCluster, startNatsCluster } from '../nats-cluster.ts';
import type { NatsProcess } from '../nats-process.ts';
import { trustDomain } from '../stream-faults.ts';
import { createWorld, type World } from '../world.ts';
import { type Part, recoveryMs, tryFault } from './part.ts';

/** A client of a cluster that lost its node finds another one about as fast. */
const reconnectMs = 300;

/** F5: three nodes that keep the stream together, of which some die, stand still or are cut off; each verifier is connected to another one. */
export const clustered: Part = {
  name: 'revocation, three NATS nodes (F5)',
  async run({ natsPath, quick, seed, report }) {
    await using opened = new AsyncDisposableStack();
    const world = opened.adopt(await createWorld({ natsPath }), (open) => open.close());
    const directory = join(world.mesh.directory, 'cluster');
    const cluster = opened.adopt(await startNatsCluster({ path: natsPath, directory, mesh: trustDomain }), (open) => open.close());
    const violations: string[] = [];
    const counts: Record<string, number | string> = {};
    let decisions = 0;
    await moveTo(world, cluster);

    async function trial(name: string, forMs: number, apply: () => Promise<AppliedFault>): Promise<void> {
      report(`three nodes: ${name}`);
      const { history, judgement, violations: seen } = await tryFault(world, { name, seed, atMs: 700, forMs, apply });
      violations.push(...seen);
      decisions += judgement.counts.decisions;
      counts[`ms until all had recovered, ${name}`] = recoveryMs(history);
    }

    // whoever it is connected to, a verifier on the minority side stays connected and hears nothing
    for (const node of quick ? cluster.nodes.slice(0, 1) : cluster.nodes) {
      await trial(`${node.name} cut off`, quick ? 4_000 : 10_000, async () => {
        cluster.isolate(node);
        return { detail: 'with its clients', heal: async () => cluster.join() };
      });
    }
    await trial('one node killed', quick ? 3_000 : 15_000, async () => {
      const leader = await cluster.leader();
      await leader.kill();
      await useOther(world, cluster, leader);
      return { detail: `${leader.name}, which led`, heal: leader.start };
    });
    await trial('two nodes killed', quick ? 3_000 : 15_000, async () => {
      const [first, second, third] = cluster.nodes;
      await Promise.all([first.kill(), second.kill()]);
      await useOther(world, cluster, first);
      return { detail: `${third.name} is left`, heal: async () => void (await Promise.all([first.start(), second.start()])) };
    });
    await trial('the leader stopped', quick ? 5_000 : 30_000, async () => {
      const leader = await cluster.leader();
      leader.pause();
      return { detail: `${leader.name}, by SIGSTOP`, heal: async () => leader.resume() };
    });
    return { counts: { ...counts, 'calls judged': decisions }, violations };
  },
};

/** Everybody leaves the only NATS of before for a node of the cluster. */
async function moveTo({ nats, issuerToNats, verifiers }: World, { nodes }: NatsCluster): Promise<void> {
  issuerToNats.aim(nodes[1].port);
  for (const [index, { links }] of verifiers.entries()) links.nats.aim(nodes[index % nodes.length]?.port ?? nodes[0].port);
  await nats.kill();
}

/** token-exchange knows all nodes; its link leads to one at a time. */
async function useOther({ issuerToNats }: World, { nodes }: NatsCluster, lost: NatsProcess): Promise<void> {
  await delay(reconnectMs);
  const other = nodes.find((node) => node !== lost && node.isRunning);
  if (other) issuerToNats.aim(other.port);
  issuerToNats.drop();
}
