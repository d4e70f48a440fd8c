import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findPostgres } from '../find-postgres.ts';
import type { CampaignOptions, StoreKind, Verdict } from './campaign.ts';
import { createFaultMesh, type FaultMesh } from './fault-mesh.ts';
import { lookThrough } from './looked-through.ts';
import { startPostgres } from './postgres-cluster.ts';
import { createTemporaryDirectory } from './temporary-directory.ts';

const execute = promisify(execFile);

/** Where a campaign runs: a mesh of its own, and an empty record. */
export interface Ground {
  readonly mesh: FaultMesh;
  /** The member `store` of `tokenmesh.yaml`. */
  readonly store: object;
}

/**
 * Runs a campaign on each of these engines, on new ground each, looks through what its record holds, and removes it afterwards. An engine that this machine lacks is skipped, and
 * the verdict says so.
 */
export async function onStores(
  campaign: string,
  stores: readonly StoreKind[],
  { report }: Pick<CampaignOptions, 'report'>,
  run: (ground: Ground, name: string) => Promise<Pick<Verdict, 'counts' | 'violations'>>,
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const kind of stores) {
    const name = `${campaign} over ${kind === 'sqlite' ? 'SQLite' : 'PostgreSQL'}`;
    await using started = new AsyncDisposableStack();
    let store: object = { sqlite: 'record.db' };
    if (kind === 'postgres') {
      const postgres = await findPostgres(report);
      if (postgres.bin === undefined) {
        const skipped = `${postgres.reason}; install postgresql, or name one in TOKENMESH_POSTGRES_BIN`;
        verdicts.push({ name, counts: {}, violations: [], skipped });
        continue;
      }
      const cluster = await startPostgres(postgres.bin);
      started.defer(() => cluster.remove());
      started.defer(() => lookThroughPostgres(postgres.bin, cluster.url));
      store = { postgres: { url: cluster.url } };
    }
    const mesh = await createFaultMesh();
    started.defer(() => mesh.remove());
    verdicts.push({ name, ...(await run({ mesh, store }, name)) });
  }
  return verdicts;
}

/** @param bin Directory of PostgreSQL's programs. */
async function lookThroughPostgres(bin: string, url: string): Promise<void> {
  const { path, remove } = createTemporaryDirectory('dump');
  const file = join(path, 'record.sql');
  await execute(join(bin, 'pg_dump'), ['--data-only', '--file', file, url]);
  lookThrough('PostgreSQL', await readFile(file, 'utf8'));
  remove();
}
