import { type Kysely, sql, type Transaction } from 'kysely';
import type { RunStatement } from './fixed-statements.ts';
import type { Tables } from './migrations.ts';
import type { Head } from './revocation-records.ts';

type EventRow = Tables['revocation_events'];
type TargetRow = Tables['revocation_targets'];
type RequestRow = Tables['revocation_requests'];
type RequestName = Pick<RequestRow, 'requested_by' | 'request_id'>;

/** The statements that each event of the revocation log runs. */
export interface EventStatements {
  /** Writes the row of the head as it is, which takes its lock in every engine: SQLite has no SELECT … FOR UPDATE. */
  holdHead(transaction: Transaction<Tables>): Promise<Head>;
  /** `false` when the head does not stand one below `n`. */
  moveHead(transaction: Transaction<Tables>, to: { readonly n: number; readonly h: string }): Promise<boolean>;
  addEvent(transaction: Transaction<Tables>, row: EventRow): Promise<void>;
  addTargets(transaction: Transaction<Tables>, rows: readonly TargetRow[]): Promise<void>;
  addRequests(transaction: Transaction<Tables>, rows: readonly RequestRow[]): Promise<void>;
  findRequests(transaction: Transaction<Tables>, names: readonly RequestName[]): Promise<readonly RequestRow[]>;
  markSent(transaction: Transaction<Tables>, positions: readonly number[]): Promise<void>;
}

/**
 * Texts of one row each, written once: a database that answers at once runs them for every row. Elsewhere rows share a statement, for each is a round trip;
 * of those Kysely writes the text each time, for each number of rows has its own.
 *
 * @param isLocal Whether the database answers at once.
 */
export function createEventStatements(db: Kysely<Tables>, run: RunStatement, isLocal: boolean): EventStatements {
  const hold = db
    .updateTable('revocation_head')
    .set(({ ref }) => ({ id: ref('id') }))
    .returning(['epoch', 'n', 'h'])
    .compile();
  const move = db.updateTable('revocation_head').set({ n: 0, h: '' }).where('n', '=', 0).compile();
  const event = db.insertInto('revocation_events').values({ n: 0, compact: '', hash: '', t: 0, sent: 0 }).compile();
  const target = db
    .insertInto('revocation_targets')
    .values({ kind: 'token', value: '', exp: 0, n: 0, t: 0, revoked_by: '', note: '' })
    .compile();
  const request = db
    .insertInto('revocation_requests')
    .values({ requested_by: '', request_id: '', digest: '', n: 0, acknowledged_at: 0 })
    .compile();
  const requestByName = db
    .selectFrom('revocation_requests')
    .selectAll()
    .where('requested_by', '=', '')
    .where('request_id', '=', '')
    .compile();
  const mark = db.updateTable('revocation_events').set({ sent: 1 }).where('n', '=', 0).compile();

  return {
    async holdHead(transaction) {
      const [row] = (await run(transaction, hold, [])).rows;
      if (!row) throw new Error('the record has no revocation log');
      return row;
    },
    async moveHead(transaction, { n, h }) {
      const { changes } = await run(transaction, move, [n, h, n - 1]);
      return changes === 1;
    },
    async addEvent(transaction, { n, compact, hash, t, sent }) {
      await run(transaction, event, [n, compact, hash, t, sent]);
    },
    async addTargets(transaction, rows) {
      if (!isLocal) return void (await transaction.insertInto('revocation_targets').values(rows).execute());
      for (const { kind, value, exp, n, t, revoked_by, note } of rows) {
        await run(transaction, target, [kind, value, exp, n, t, revoked_by, note]);
      }
    },
    async addRequests(transaction, rows) {
      if (rows.length === 0) return;
      if (!isLocal) return void (await transaction.insertInto('revocation_requests').values(rows).execute());
      for (const { requested_by, request_id, digest, n, acknowledged_at } of rows) {
        await run(transaction, request, [requested_by, request_id, digest, n, acknowledged_at]);
      }
    },
    async findRequests(transaction, names) {
      if (names.length === 0) return [];
      if (!isLocal) {
        const pairs = sql.join(names.map(({ requested_by, request_id }) => sql`(${requested_by}, ${request_id})`));
        return await transaction
          .selectFrom('revocation_requests')
          .selectAll()
          .where(sql<boolean>`(requested_by, request_id) in (values ${pairs})`)
          .execute();
      }
      const found: RequestRow[] = [];
      for (const { requested_by, request_id } of names)
        found.push(...(await run(transaction, requestByName, [requested_by, request_id])).rows);
      return found;
    },
    async markSent(transaction, positions) {
      if (positions.length === 0) return;
      if (!isLocal) return void (await transaction.updateTable('revocation_events').set({ sent: 1 }).where('n', 'in', positions).execute());
      for (const n of positions) await run(transaction, mark, [1, n]);
    },
  };
}
