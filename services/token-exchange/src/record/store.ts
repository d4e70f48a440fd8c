import { type Kysely, sql, type Transaction } from 'kysely';
import { type AppliedTermsRecords, createAppliedTermsRecords } from './applied-terms.ts';
import { type AuditEntry, type AuditRecords, appendAudit, type ChainHead, createAuditRecords } from './audit-records.ts';
import { deleteInSlices } from './delete-in-slices.ts';
import { createGrantRecords, deleteExpiredGrants, type GrantRecords } from './grant-records.ts';
import { type Commit, groupCommits } from './group-commit.ts';
import { createKeyRecords, type KeyRecords, readKeysVersion } from './key-records.ts';
import type { Tables } from './migrations.ts';
import {
  beginLog,
  createRevocationReads,
  createRevocationRecords,
  deleteExpiredRevocations,
  type RevocationReads,
  type RevocationRecords,
} from './revocation-records.ts';

/** What can be done inside one transaction. All of it is durable once the transaction has resolved, and none of it before. */
export interface StoreTransaction extends GrantRecords, AppliedTermsRecords, RevocationRecords, KeyRecords {
  /**
   * Notes what this transaction does. It is written as the last thing before the commit: what cannot be audited is not done, and who waits for
   * the chain waits for one commit.
   */
  audit(entry: AuditEntry): void;
  /** Marks an assertion id as used; `false` when it was used before. Kept until `exp` (seconds since epoch). */
  useAssertionId(clientId: string, jti: string, exp: number): Promise<boolean>;
}

/**
 * The record: what token-exchange must not lose. One schema for SQLite and PostgreSQL.
 *
 * Every method resolves after the data is durable, and rejects when it could not be made so; nothing is decided without it.
 */
export interface Store extends AuditRecords, RevocationReads {
  /** Whether other processes may write to the record at the same time. */
  readonly isShared: boolean;
  /** Runs `work` in one transaction; rolls back and rejects when it throws. `work` must not use the store itself. */
  transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T>;
  /** Grows with every change of the signing keys. */
  keysVersion(): Promise<number>;
  /** Forgets what no longer matters at `nowSeconds`: expired assertion ids, targets that cover no living token, requests and sent events of the day before. */
  deleteExpired(nowSeconds: number): Promise<void>;
  /** Closes the database; resolves when every lock is released. */
  close(): Promise<void>;
}

/** An assertion id is kept this long after its `exp`: more than any clock tolerance, so that no assertion outlives the memory of it. */
const assertionGraceSeconds = 120;

/**
 * The record in a database of either kind that was migrated to the present schema; in an empty one, begins an epoch of the log.
 *
 * @param options.newId Names the epoch.
 * @param options.isShared Whether other processes may write to it at the same time.
 * @param options.onClose Runs after the database was closed: what the adapter has to release.
 */
export async function openStore(
  db: Kysely<Tables>,
  options: { newId: () => string; isShared: boolean; onClose?: () => void },
): Promise<Store> {
  await beginLog(db, options.newId());
  /** Chains of this opening that no transaction is writing to: as many as ever committed at once, so that they need not wait for one another. */
  const freeChains: ChainHead[] = [];

  const commit: Commit = async (work) => {
    const { result, head } = await db.transaction().execute(async (transaction) => {
      const entries: AuditEntry[] = [];
      const result = await work({ transaction, audit: (more) => void entries.push(...more) });
      // when this fails the chain is not taken up again: whether it was written is not known
      return { result, head: entries.length > 0 ? await appendAudit(transaction, freeChains.pop(), entries) : undefined };
    });
    if (head) freeChains.push(head);
    return result;
  };
  // replicas write beside one another, and their database groups commits itself
  const commitOne = options.isShared ? commit : groupCommits(commit);

  function transact<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    return commitOne(async ({ transaction, audit }) => {
      const entries: AuditEntry[] = [];
      const result = await work(createTransaction(transaction, (entry) => void entries.push(entry)));
      audit(entries); // not before: what throws is undone, and was not done
      return result;
    });
  }

  return {
    ...createAuditRecords(db),
    transaction: transact,
    isShared: options.isShared,
    ...createRevocationReads(db),
    keysVersion: () => readKeysVersion(db),
    async deleteExpired(nowSeconds) {
      const over = nowSeconds - assertionGraceSeconds;
      await deleteInSlices((limit) =>
        db
          .deleteFrom('assertion_ids')
          .where(sql<boolean>`(client_id, jti) in (select client_id, jti from assertion_ids where exp < ${over} limit ${limit})`)
          .executeTakeFirst(),
      );
      await deleteExpiredGrants(db, nowSeconds);
      await deleteExpiredRevocations(db, nowSeconds);
    },
    async close() {
      await db.destroy();
      options.onClose?.();
    },
  };
}

function createTransaction(db: Transaction<Tables>, audit: (entry: AuditEntry) => void): StoreTransaction {
  return {
    audit,
    ...createGrantRecords(db),
    ...createAppliedTermsRecords(db),
    ...createRevocationRecords(db),
    ...createKeyRecords(db),
    async useAssertionId(clientId, jti, exp) {
      const result = await db
        .insertInto('assertion_ids')
        .values({ client_id: clientId, jti, exp })
        .onConflict((conflict) => conflict.columns(['client_id', 'jti']).doNothing())
        .executeTakeFirst();
      return result.numInsertedOrUpdatedRows === 1n;
    },
  };
}
