import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';
import { type History, referenceMs } from './history.ts';
import { namesOf, someVerifiers } from './link-faults.ts';
import type { World } from './world.ts';

const lookEveryMs = 5;
/** A stall longer than the largest S of a verifier, and longer than G. */
const stalls = [3_000, 5_500];
/** Revocations come every few hundred milliseconds; one that is not published yet need not be waited for longer. */
const longestWaitMs = 1_500;

/** What happens to token-exchange and its record at the worst moment, and to verifiers that are too busy to hear of it. */
export const recordFaults: readonly Fault[] = [
  {
    ...{ name: 'token-exchange killed before it published', holds: ['issuer', 'issuer to NATS'], weight: 3, durationMs: [200, 2_500] },
    async apply(world) {
      const { issuer, issuerToNats, history } = world;
      issuerToNats.set({ toServer: { held: true }, toClient: { held: true } });
      const how = await nextRevocation(history);
      await issuer.kill();
      issuerToNats.drop(); // what it had sent is lost with it
      issuerToNats.set({});
      return { detail: how, heal: () => issuer.start() };
    },
  },
  {
    ...{ name: 'record restored from an old backup', holds: ['issuer', 'record'], weight: 2, durationMs: [400, 2_500] },
    async apply(world) {
      const backup = backUpRecord(world);
      return {
        detail: 'revocations since then are lost; the operator begins a new epoch',
        async heal() {
          await world.issuer.kill();
          await restoreRecord(world, backup);
          const id = `${world.history.name} epoch of ${Math.round(referenceMs())}`;
          const n = await world.issuer.beginEpoch();
          await world.issuer.start();
          // until it runs nobody can know of the new epoch: the operator is told when it does
          world.note({ type: 'epoch', at: referenceMs(), id, n });
        },
      };
    },
  },
  {
    ...{ name: 'verifier stalled', holds: ['verifiers'], weight: 2, durationMs: [800, 4_000] },
    async apply(world, random) {
      const some = someVerifiers(world, random);
      const forMs = random.pick(stalls);
      const over = delay(forMs);
      for (const verifier of some) verifier.stall(forMs);
      return {
        ...{
          detail: `${namesOf(some)}: its event loop does something else for ${forMs} ms`,
          stops: some.map(({ terms }) => terms.verifier),
        },
        heal: () => over,
      };
    },
  },
];

/** Resolves when a revocation is asked for, and a little later at random moments of its way: committed, acknowledged or neither. */
async function nextRevocation({ facts }: History): Promise<string> {
  const seen = facts.length;
  const giveUpAt = referenceMs() + longestWaitMs;
  while (referenceMs() < giveUpAt) {
    const news = facts.slice(seen);
    if (news.some(({ type }) => type === 'acknowledged')) return 'right after an acknowledgement';
    if (news.some(({ type, at }) => type === 'revoking' && referenceMs() - at > 20)) return 'while it was asked to revoke';
    await delay(lookEveryMs);
  }
  return 'while nothing was revoked';
}

/** A copy of the record as it is at this moment, of a running token-exchange as well. */
export function backUpRecord({ issuer, mesh }: World): string {
  const backup = join(mesh.directory, `record-backup-${Math.round(referenceMs())}.db`);
  const database = new DatabaseSync(issuer.database, { readOnly: true });
  try {
    database.prepare('VACUUM INTO ?').run(backup);
  } finally {
    database.close();
  }
  return backup;
}

/** Puts a copy in the place of the record. The lock file beside it stays, as it does when an operator restores one file. */
export async function restoreRecord({ issuer }: World, backup: string): Promise<void> {
  for (const end of ['', '-wal', '-shm']) await rm(`${issuer.database}${end}`, { force: true });
  const copy = new DatabaseSync(backup);
  try {
    copy.prepare('VACUUM INTO ?').run(issuer.database);
  } finally {
    copy.close();
  }
}
