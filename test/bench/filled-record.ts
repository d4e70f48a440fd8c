import { hash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

/** Ids of tokens that nobody has: of the same form as real ones, and the same in every process. */
export function benchJti(index: number): string {
  return hash('sha256', `revoked ${index}`, 'base64url').slice(0, 22);
}

/** Longer than any run. */
const livesSeconds = 3 * 60 * 60;

/**
 * Adds tokens of `benchJti` to the last event of a record in SQLite, as if it had revoked them as well: a million are there within seconds. Nobody may
 * have it open.
 *
 * @param file Of a record whose log has an event.
 * @param tokens Index of the first of them, and of the first that is not.
 */
export function fillRecord(file: string, tokens: { readonly from: number; readonly to: number }): void {
  const database = new DatabaseSync(file);
  try {
    const { n, t } = database.prepare('SELECT n, t FROM revocation_events ORDER BY n DESC LIMIT 1').get() ?? {};
    if (typeof n !== 'number' || typeof t !== 'number') throw new Error('the log of the record is empty');
    const exp = Math.floor(t / 1000) + livesSeconds;
    const values = Array.from({ length: tokens.to - tokens.from }, (_, index) => benchJti(tokens.from + index));
    database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -262144');
    // sorted as the index is, and in one statement: by one each, and sorted here, it took twice as long
    database
      .prepare(
        `INSERT INTO revocation_targets (kind, value, exp, n, t, revoked_by, note)
          SELECT 'token', value, ${exp}, ${n}, ${t}, 'bench', '' FROM json_each(?) ORDER BY value`,
      )
      .run(JSON.stringify(values));
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    database.close();
  }
}
