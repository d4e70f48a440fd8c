import { DatabaseSync } from 'node:sqlite';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/config-problem.ts';
import { createAuditRecords, type VerifiedAudit } from '../record/audit-records.ts';
import { createKysely } from '../record/sqlite.ts';

/**
 * Verifies the audit of a record, which the service may be using at the same time. An SQLite file is only read.
 *
 * @param newId Names the epoch of an empty record in PostgreSQL.
 * @throws {ConfigError} When the file is not there, or has no audit.
 * @throws {PostgresError} When PostgreSQL cannot be used.
 */
export async function verifyAuditOf(store: Config['store'], newId: () => string): Promise<VerifiedAudit> {
  if ('postgres' in store) {
    const { openPostgresStore } = await import('../record/postgres.ts');
    const opened = await openPostgresStore(store.postgres, { newId });
    return await opened.verifyAudit().finally(() => opened.close());
  }
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(store.sqlite, { readOnly: true });
    database.prepare('SELECT count FROM audit_chain_count').get();
  } catch (error) {
    throw new ConfigError([`${store.sqlite}: cannot be read as a record with an audit: ${(error as Error).message}`]); // SQLite throws Errors only
  }
  const db = createKysely(database);
  return await createAuditRecords(db)
    .verifyAudit()
    .finally(() => db.destroy());
}

/** What the command says, one line each. */
export function describeAudit({ breaks, heads, events }: VerifiedAudit): string {
  const broken = breaks.map(({ chain, seq, problem }) => `chain ${chain} breaks at ${seq}: ${problem}`);
  const whole = heads.map(({ chain, seq, hash }) => `chain ${chain} holds up to ${seq}: ${hash}`);
  const summary =
    breaks.length > 0 ? `the audit was tampered with: ${breaks.length} chains do not hold` : `the audit holds: ${events} events`;
  return [...whole, ...broken, summary].map((line) => `${line}\n`).join('');
}
