import { type Kysely, sql, type Transaction } from 'kysely';
import { type AppliedTermsRecords, createAppliedTermsRecords } from './applied-terms.ts';
import { type AuditEntry, type AuditRecords, appendAudit, type ChainHead, createAuditRecords } from './audit-records.ts';
import { deleteInSlices } from './delete-in-slices.ts';
import { createFixedStatements, type FixedStatements, type RunStatement } from './fixed-statements.ts';
import { createGrantRecords, deleteExpiredGrants, type GrantRecords } from './grant-records.ts';
import { type Commit, groupCommits, type Savepoint } from './group-commit.ts';
import { createKeyRecords, type KeyRecords, readKeysVersion } from './key-records.ts';
import type { Tables } from './migrations.ts';
import {
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
  /** Marks events that the courier has taken. */
  markSent(positions: readonly number[]): Promise<void>;
  /** Grows with every change of the signing keys. */
  keysVersion(): Promise<number>;
  /** Forgets what no longer matters at `nowSeconds`: expired assertion ids, targets that cover no living token, requests and sent events of the day before. */
  deleteExpired(nowSeconds: number): Promise<void>;
  /** Closes the database; resolves when every lock is released. */
  close(): Promise<void>;
}

/** An assertion id is kept this long after its `exp`: more than any clock tolerance, so that no assertion outlives the memory of it. */
const assertionGraceSeconds = 120;

/** A database that answers at once, and that nobody else writes to. */
export interface LocalDatabase {
  readonly run: RunStatement;
  readonly savepoint: Savepoint;
  /** Runs first in each transaction; what it throws undoes it. */
  onBegin(): void;
  /** Told of each commit. */
  onCommitted(): void;
  /** Told how far the revocation log has come, once that is durable. */
  onAppended(n: number): void;
}

/**
 * The record in a database of either kind that was migrated to the present schema, and in which a log was begun.
 *
 * @param options.local How it is reached beside Kysely; absent: other processes may write to it at the same time.
 * @param options.onClose Runs after the database was closed: what the adapter has to release.
 */
export function createStore(db: Kysely<Tables>, options: { local?: LocalDatabase; onClose?: () => void }): Store {
  const { local } = options;
  const statements = createFixedStatements(db, local?.run);
  /** Chains of this opening that no transaction is writing to: as many as ever committed at once, so that they need not wait for one another. */
  const freeChains: ChainHead[] = [];

  const commit: Commit<StoreTransaction> = async (work) => {
    const noted: Noted = { audit: [], appended: undefined };
    const { result, head } = await db.transaction().execute(async (transaction) => {
      local?.onBegin();
      const inside = createTransaction(transaction, statements, noted);
      const result = await work({ inside, mark: () => markOf(noted) });
      // when this fails the chain is not taken up again: whether it was written is not known
      const head = noted.audit.length > 0 ? await appendAudit(transaction, statements, freeChains.pop(), noted.audit) : undefined;
      return { result, head };
    });
    if (head) freeChains.push(head);
    local?.onCommitted();
    if (noted.appended !== undefined) local?.onAppended(noted.appended);
    return result;
  };

  // replicas write beside one another, and their database groups commits itself
  const transaction: Store['transaction'] = local ? groupCommits(commit, local.savepoint) : (work) => commit(({ inside }) => work(inside));

  return {
    ...createAuditRecords(db),
    transaction,
    // by itself it would be one more wait for the disk, for which everybody else waits
    markSent: (positions) => transaction((inside) => inside.markSent(positions)),
    isShared: local === undefined,
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

/** What one transaction has come to, besides what is written already. */
interface Noted {
  /** To be written as the last thing before the commit. */
  readonly audit: AuditEntry[];
  /** The last position of the revocation log that it appended. */
  appended: number | undefined;
}

function markOf(noted: Noted): () => void {
  const { appended, audit } = noted;
  const { length } = audit;
  return () => {
    noted.appended = appended;
    audit.length = length; // what throws is undone, and was not done
  };
}

function createTransaction(db: Transaction<Tables>, statements: FixedStatements, noted: Noted): StoreTransaction {
  const revocations = createRevocationRecords(db, statements);
  return {
    audit: (entry) => void noted.audit.push(entry),
    ...createGrantRecords(db),
    ...createAppliedTermsRecords(db),
    ...createKeyRecords(db),
    ...revocations,
    async appendEvent(event, targets) {
      await revocations.appendEvent(event, targets);
      noted.appended = event.n;
    },
    useAssertionId: (clientId, jti, exp) => statements.addAssertionId(db, clientId, jti, exp),
  };
}
