import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRevocationStream, revocationStreamName } from '@tokenmesh/revocation/nats';
import { type ByteProxy, openByteProxy } from './byte-proxy.ts';
import { type NatsProcess, startNatsProcess } from './nats-process.ts';
import { connectNatsWire } from './nats-wire.ts';

/** Three nats-servers that keep the stream together: each has all of it, and two of them are needed to take an event. */
export interface NatsCluster {
  readonly nodes: readonly [NatsProcess, NatsProcess, NatsProcess];
  /** Where they take clients, `host:port` each, as they are now. */
  servers(): readonly string[];
  /** The node that takes events for the others; asks every node that runs until one knows. */
  leader(): Promise<NatsProcess>;
  /** Nothing passes between this node and the other two any more; its clients notice nothing. */
  isolate(node: NatsProcess): void;
  /** Ends every isolation. What was under way arrives late. */
  join(): void;
  close(): Promise<void>;
}

export interface NatsClusterOptions {
  /** The program. */
  readonly path: string;
  /** Each node gets one of its own in it. */
  readonly directory: string;
  /** The trust domain whose stream they keep. */
  readonly mesh: string;
}

const askAgainMs = 200;
/** An election takes 4 to 9 s. */
const leaderLimitMs = 60_000;

/** Starts the cluster and creates the stream in it, with three replicas. The routes between the nodes are authenticated. */
export async function startNatsCluster({ path, directory, mesh }: NatsClusterOptions): Promise<NatsCluster> {
  const password = randomBytes(12).toString('hex');
  const routePorts = [-1, -1, -1];
  // one for each direction in which a node may call another, so that any of them can be cut off alone
  const links: { readonly from: number; readonly to: number; readonly proxy: ByteProxy }[] = [];
  for (const from of [0, 1, 2]) {
    for (const to of [0, 1, 2]) if (from !== to) links.push({ from, to, proxy: await openByteProxy({ target: 1 }) });
  }

  const startNode = async (index: number) => {
    const routes = links
      .filter(({ from }) => from === index)
      .map(({ proxy }) => `"nats-route://route:${password}@127.0.0.1:${proxy.port}"`);
    const name = `node-${index}`;
    const node = await startNatsProcess({
      ...{ name, path, directory: join(directory, name) },
      // nodes tell one another where to be reached: they must not find a way around the links
      config: () => `server_name: ${name}
cluster {
  name: tokenmesh
  listen: "127.0.0.1:${routePorts[index]}"
  advertise: "127.0.0.1:1"
  no_advertise: true
  authorization { user: route, password: "${password}", timeout: 2 }
  routes: [${routes.join(', ')}]
}`,
    });
    routePorts[index] = Number(/:(\d+)$/.exec(await node.logged('Listening for route connections on'))?.[1]);
    for (const { to, proxy } of links) if (to === index) proxy.aim(Number(routePorts[index]));
    return node;
  };
  const nodes: NatsCluster['nodes'] = await Promise.all([startNode(0), startNode(1), startNode(2)]);
  const servers = () => nodes.map(({ port }) => `127.0.0.1:${port}`);

  const cluster: NatsCluster = {
    nodes,
    servers,
    async leader() {
      const startedAt = performance.now();
      while (performance.now() - startedAt < leaderLimitMs) {
        for (const node of nodes) {
          const name = node.isRunning ? await leaderAccordingTo(node, revocationStreamName(mesh)) : undefined;
          const found = nodes.find((one) => one.name === name && one.isRunning);
          if (found) return found;
        }
        await delay(askAgainMs);
      }
      throw new Error('the stream has had no leader for a minute');
    },
    isolate(node) {
      const index = nodes.indexOf(node);
      for (const { from, to, proxy } of links) {
        if (from === index || to === index) proxy.set({ toServer: { held: true }, toClient: { held: true } });
      }
    },
    join() {
      for (const { proxy } of links) proxy.set({});
    },
    async close() {
      await Promise.all(nodes.map((node) => node.kill()));
      await Promise.all(links.map(({ proxy }) => proxy.close()));
    },
  };
  try {
    await createStream(servers(), mesh);
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return cluster;
}

/** The cluster needs a leader of its own before it takes the stream. */
async function createStream(servers: readonly string[], mesh: string): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await createRevocationStream({ servers, mesh, replicas: 3 });
    } catch (error) {
      if (performance.now() - startedAt > leaderLimitMs) throw error;
      await delay(askAgainMs);
    }
  }
}

async function leaderAccordingTo({ port }: NatsProcess, stream: string): Promise<string | undefined> {
  const wire = await connectNatsWire({ port });
  try {
    const answer = JSON.parse(String(await wire.request(`$JS.API.STREAM.INFO.${stream}`, ''))) as { cluster?: { leader?: string } };
    return answer.cluster?.leader;
  } catch {
    return undefined; // without a leader nobody answers
  } finally {
    wire.close();
  }
}
