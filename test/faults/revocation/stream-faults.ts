import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRevocationStream, revocationStreamName } from '@tokenmesh/revocation/nats';
import type { Random } from '../random.ts';
import type { Fault, Held } from './fault.ts';
import type { NatsProcess } from './nats-process.ts';
import { connectNatsWire } from './nats-wire.ts';
import type { World } from './world.ts';

export const trustDomain = 'faults.test';
const stream = revocationStreamName(trustDomain);
const holds: readonly Held[] = ['stream', 'nats'];

/** What can happen to the stream in which JetStream keeps events: it goes, comes back empty, forgets, or tells something else than it was told. */
export const streamFaults: readonly Fault[] = [
  {
    ...{ name: 'stream deleted', holds, weight: 2, durationMs: [300, 3_000] },
    async apply({ nats }) {
      await askJetStream(nats, 'STREAM.DELETE');
      return { detail: 'and created again by the operator', heal: () => createStream(nats) };
    },
  },
  {
    ...{ name: 'stream recreated', holds, weight: 2, durationMs: [100, 1_000] },
    async apply({ nats }) {
      await askJetStream(nats, 'STREAM.DELETE');
      await createStream(nats);
      return { detail: 'empty, and its numbers begin anew', heal: async () => {} };
    },
  },
  {
    ...{ name: 'stream purged', holds, weight: 2, durationMs: [100, 1_000] },
    async apply({ nats }) {
      await askJetStream(nats, 'STREAM.PURGE');
      return { detail: 'all that it kept', heal: async () => {} };
    },
  },
  {
    ...{ name: 'stream rewound', holds, weight: 2, durationMs: [500, 3_000] },
    async apply(world) {
      const backup = await backUpStore(world);
      return { detail: 'NATS comes back with what was on its disk before', heal: () => restoreStore(world, backup) };
    },
  },
  {
    ...{ name: 'stream bit-flipped', holds, weight: 2, durationMs: [100, 2_000] },
    async apply({ nats }, random) {
      const flipped = await flipBit(nats, random);
      return { detail: flipped, heal: async () => {} };
    },
  },
];

/**
 * Asks a server's JetStream to do something to the stream.
 *
 * @throws {Error} When it refuses.
 */
export async function askJetStream({ port }: NatsProcess, command: 'STREAM.DELETE' | 'STREAM.PURGE' | 'STREAM.INFO'): Promise<StreamInfo> {
  const wire = await connectNatsWire({ port });
  try {
    const answer = JSON.parse(String(await wire.request(`$JS.API.${command}.${stream}`, ''))) as StreamInfo & { readonly error?: object };
    if (answer.error) throw new Error(`JetStream refused ${command}: ${JSON.stringify(answer.error)}`);
    return answer;
  } finally {
    wire.close();
  }
}

/** What JetStream says of a stream. */
export interface StreamInfo {
  readonly created: string;
  readonly state: { readonly messages: number; readonly first_seq: number; readonly last_seq: number };
}

export async function createStream({ port }: NatsProcess): Promise<void> {
  await createRevocationStream({ servers: `127.0.0.1:${port}`, mesh: trustDomain });
}

/** Copies what NATS has on its disk, which takes it away for a moment; the copy. */
export async function backUpStore({ nats, mesh }: World): Promise<string> {
  const backup = join(mesh.directory, 'nats-backup');
  await nats.stop();
  await rm(backup, { recursive: true, force: true });
  await cp(nats.store, backup, { recursive: true });
  await nats.start();
  return backup;
}

/** Puts a copy in the place of what NATS has on its disk. */
export async function restoreStore({ nats }: World, backup: string): Promise<void> {
  await nats.kill();
  await rm(nats.store, { recursive: true, force: true });
  await rename(backup, nats.store);
  await nats.start();
}

/** Flips one bit of the messages that NATS has on its disk while it is away; which one. */
export async function flipBit(nats: NatsProcess, random: Random): Promise<string> {
  await nats.stop();
  try {
    const files = await readdir(nats.store, { recursive: true });
    const block = files.filter((name) => name.endsWith('.blk')).map((name) => join(nats.store, name))[0];
    const bytes = block === undefined ? Buffer.alloc(0) : await readFile(block);
    if (block === undefined || bytes.length === 0) return 'there was no message yet';
    const [at, bit] = [random.whole(0, bytes.length - 1), random.whole(0, 7)];
    bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
    await writeFile(block, bytes);
    return `bit ${bit} of byte ${at} of ${bytes.length}`;
  } finally {
    await nats.start();
  }
}
