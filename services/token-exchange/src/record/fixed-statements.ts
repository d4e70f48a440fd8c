import type { CompiledQuery, Kysely, Transaction } from 'kysely';
import type { AuditTables } from './audit-records.ts';
import { createEventStatements, type EventStatements } from './event-statements.ts';
import type { Tables } from './migrations.ts';
import type { Head } from './revocation-records.ts';

/** What a statement found, and how many rows it changed. */
export interface Ran<Row> {
  readonly rows: readonly Row[];
  readonly changes: number;
}

/** Every column is one of these. */
export type Value = string | number;

/** Runs a statement in an open transaction, with values for its parameters in the order in which they stand in its text. */
export type RunStatement = <Row>(
  transaction: Transaction<Tables>,
  statement: CompiledQuery<Row>,
  values: readonly Value[],
) => Promise<Ran<Row>>;

/** Over the connection of the transaction, as any other statement. */
const runByKysely: RunStatement = async <Row>(
  transaction: Transaction<Tables>,
  statement: CompiledQuery<Row>,
  values: readonly Value[],
) => {
  const { rows, numAffectedRows = 0n } = await transaction.executeQuery<Row>({ ...statement, parameters: values });
  return { rows, changes: Number(numAffectedRows) };
};

/** The statements that each issuance and each event of the revocation log runs. */
export interface FixedStatements extends EventStatements {
  readHead(transaction: Transaction<Tables>): Promise<Head>;
  isSuspended(transaction: Transaction<Tables>, clientId: string): Promise<boolean>;
  /** `false` when it is there already. */
  addAssertionId(transaction: Transaction<Tables>, clientId: string, jti: string, exp: number): Promise<boolean>;
  addAuditEvents(transaction: Transaction<Tables>, rows: readonly AuditRow[]): Promise<void>;
  /** `false` when the chain does not stand at `from`. */
  moveAuditChain(transaction: Transaction<Tables>, chain: number, from: number, to: { seq: number; hash: string }): Promise<boolean>;
}

type AuditRow = AuditTables['audit_events'];

/** Rows of one statement: PostgreSQL takes 65 535 parameters. */
const maxRows = 500;

/**
 * Has Kysely write their text once for a database: that takes several times as long as running them.
 *
 * @param runLocally Absent: by Kysely, with a round trip for each.
 */
export function createFixedStatements(db: Kysely<Tables>, runLocally?: RunStatement): FixedStatements {
  const run = runLocally ?? runByKysely;
  const head = db.selectFrom('revocation_head').select(['epoch', 'n', 'h']).compile();
  const suspension = db.selectFrom('suspended_workloads').select('client_id').where('client_id', '=', '').compile();
  const assertionId = db
    .insertInto('assertion_ids')
    .values({ client_id: '', jti: '', exp: 0 })
    .onConflict((conflict) => conflict.columns(['client_id', 'jti']).doNothing())
    .compile();
  const event: AuditRow = {
    ...{ chain: 0, seq: 0, t: 0, kind: '', who: '', what: '', decision: 'allowed', reason: '' },
    ...{ jti: '', txn: '', trace_id: '', count: 0, hash: '' },
  };
  const auditEvent = db.insertInto('audit_events').values(event).compile();
  const chainMove = db.updateTable('audit_chains').set({ seq: 0, hash: '' }).where('chain', '=', 0).where('seq', '=', 0).compile();

  return {
    ...createEventStatements(db, run, runLocally !== undefined),
    async readHead(transaction) {
      const [row] = (await run(transaction, head, [])).rows;
      if (!row) throw new Error('the record has no revocation log');
      return row;
    },
    isSuspended: async (transaction, clientId) => (await run(transaction, suspension, [clientId])).rows.length > 0,
    async addAssertionId(transaction, clientId, jti, exp) {
      const { changes } = await run(transaction, assertionId, [clientId, jti, exp]);
      return changes === 1;
    },
    async addAuditEvents(transaction, rows) {
      if (runLocally || rows.length === 1) {
        for (const { chain, seq, t, kind, who, what, decision, reason, jti, txn, trace_id, count, hash } of rows) {
          await run(transaction, auditEvent, [chain, seq, t, kind, who, what, decision, reason, jti, txn, trace_id, count, hash]);
        }
        return;
      }
      for (let start = 0; start < rows.length; start += maxRows) {
        await transaction
          .insertInto('audit_events')
          .values(rows.slice(start, start + maxRows))
          .execute();
      }
    },
    async moveAuditChain(transaction, chain, from, { seq, hash }) {
      const { changes } = await run(transaction, chainMove, [seq, hash, chain, from]);
      return changes === 1;
    },
  };
}
