import { genesisHash, type Target, type TargetKind } from '@tokenmesh/revocation';
import type { Algorithm } from '@tokenmesh/token';
import { type Kysely, sql, type Transaction } from 'kysely';
import { type AppliedTermsRecords, createAppliedTermsRecords } from './applied-terms.ts';
import { type AuditEntry, type AuditRecords, appendAudit, type ChainHead, createAuditRecords } from './audit-records.ts';
import { createGrantRecords, deleteExpiredGrants, type GrantRecords } from './grant-records.ts';
import { type Commit, groupCommits } from './group-commit.ts';
import type { Tables } from './migrations.ts';

/** Where the revocation log stands: epoch E, last position n, chain hash H(n). */
export interface Head {
  readonly epoch: string;
  readonly n: number;
  readonly h: string;
}

/**
 * Life of a signing key (protocol section 8).
 *
 * - `prepared`: generated and stored; nobody outside knows it.
 * - `published`: in the JWKS, so that verifiers learn it; does not sign yet.
 * - `active`: signs. Exactly one per purpose.
 * - `retiring`: verifies only, until the longest token it signed is dead.
 * - `withdrawn`: emergency; out of the JWKS and revoked.
 */
export type KeyState = 'prepared' | 'published' | 'active' | 'retiring' | 'withdrawn';

/** Token keys sign service tokens, feed keys sign events, checkpoints and snapshots: never the other way round. */
export type KeyPurpose = 'token' | 'feed';

/** A signing key at rest. */
export interface StoredKey {
  readonly kid: string;
  readonly purpose: KeyPurpose;
  readonly alg: Algorithm;
  readonly state: KeyState;
  /** Private key, encrypted; only the key ring reads it. */
  readonly sealed: string;
  /** When it came into its state, milliseconds since epoch. */
  readonly changedAtMs: number;
  /** When an operator asked for its successor, milliseconds since epoch; 0: nobody did. */
  readonly rotationRequestedAtMs: number;
}

/** What one replica knows of its verifiers: how many of those that reported to it do not know the key yet. */
export interface KeyReadiness {
  readonly replica: string;
  /** The token key that is to sign next; empty: the replica knows of none. */
  readonly kid: string;
  readonly awaited: number;
  /** Milliseconds since epoch. */
  readonly heardAtMs: number;
}

/** One event of the log as it is kept. */
export interface StoredEvent {
  readonly n: number;
  readonly compact: string;
  readonly hash: string;
  /** Milliseconds since epoch. */
  readonly t: number;
}

/** A target of an event, with what operators want to know of it. */
export interface StoredTarget extends Target {
  readonly n: number;
  /** Milliseconds since epoch. */
  readonly t: number;
  readonly revokedBy: string;
  readonly note: string;
}

/** An answered request to revoke; the pair of identity and id names it, so that nobody can use up another's ids. */
export interface StoredRequest {
  readonly requestedBy: string;
  readonly requestId: string;
  /** SHA-256 of what was asked for: the same id with another content is a mistake, not a repetition. */
  readonly digest: string;
  readonly n: number;
  /** Milliseconds since epoch. */
  readonly acknowledgedAtMs: number;
}

export interface Suspension {
  readonly clientId: string;
  readonly suspendedBy: string;
  readonly suspendedAtMs: number;
  readonly note: string;
}

/** What a token would be covered by: a revocation of any of these. */
export interface Handles {
  readonly jti: string;
  readonly kid: string;
  /** Every other kind: covers the token when it stands above `rn`. */
  readonly watermarks: readonly { readonly kind: TargetKind; readonly value: string }[];
  readonly rn: number;
}

/** What can be done inside one transaction. All of it is durable once the transaction has resolved, and none of it before. */
export interface StoreTransaction extends GrantRecords, AppliedTermsRecords {
  /**
   * Notes what this transaction does. It is written as the last thing before the commit: what cannot be audited is not done, and who waits for
   * the chain waits for one commit.
   */
  audit(entry: AuditEntry): void;
  /** Marks an assertion id as used; `false` when it was used before. Kept until `exp` (seconds since epoch). */
  useAssertionId(clientId: string, jti: string, exp: number): Promise<boolean>;

  /**
   * Position of the log, to be stamped as `rn`. Read it BEFORE `isRevoked` and `suspendedAmong`.
   *
   * Transactions are READ COMMITTED (and one at a time in SQLite), so that each statement sees everything that was committed before it began.
   * Take a revocation that commits at position n while a token is being issued. Visible to this read: then it is visible to the look-ups,
   * which begin later, and `rn >= n` is right, for the token was judged with it. Not visible to this read: then `rn < n`, and the revocation
   * covers the token that is issued, whether the look-ups saw it or not. In the other order it could be missed by the look-ups and hidden
   * by `rn`. No lock is needed: issuing never waits for revoking.
   */
  head(): Promise<Head>;
  /** Position of the log, held until the transaction ends: whoever else wants to append, in any process, waits. Before `appendEvent`. */
  holdHead(): Promise<Head>;
  isRevoked(handles: Handles): Promise<boolean>;
  /** Those of the given identities that are suspended. */
  suspendedAmong(clientIds: readonly string[]): Promise<readonly string[]>;

  /** Ends the log and begins another one: forgets its events and moves the head. Targets stay. After `holdHead`. */
  replaceLog(head: Head): Promise<void>;
  /** Appends an event whose `n` is one above the head's, and moves the head. */
  appendEvent(event: StoredEvent & { readonly sent: boolean }, targets: readonly StoredTarget[]): Promise<void>;
  addRequest(request: StoredRequest): Promise<void>;
  findRequest(requestedBy: string, requestId: string): Promise<StoredRequest | undefined>;
  suspend(suspension: Suspension): Promise<void>;
  resume(clientId: string): Promise<void>;

  /** Targets in force at `nowSeconds`, oldest first. */
  targetsInForce(nowSeconds: number): Promise<readonly StoredTarget[]>;

  keys(): Promise<readonly StoredKey[]>;
  /**
   * Makes this transaction the only one that changes keys, until it ends: read them after this, not before. Whoever polls `keysVersion` sees that
   * they changed.
   */
  lockKeys(): Promise<void>;
  addKey(key: StoredKey): Promise<void>;
  /** Moves a key from one state to another; `false` when it was not in that state. */
  moveKey(kid: string, from: KeyState, to: KeyState, nowMs: number): Promise<boolean>;
  /** Notes that the successor of an active key is wanted; the first wish stands. */
  requestRotation(kid: string, nowMs: number): Promise<void>;
  removeKey(kid: string): Promise<void>;
  /** Time of the oldest event that is kept, milliseconds since epoch; `undefined` when none is. */
  oldestEventMs(): Promise<number | undefined>;
  readiness(): Promise<readonly KeyReadiness[]>;
  /** Replaces what this replica said before, and forgets what others said before `staleMs`. */
  putReadiness(readiness: KeyReadiness, staleMs: number): Promise<void>;
  /** Removes the events up to position `n`: whoever needs them takes a snapshot instead. */
  forgetEvents(n: number): Promise<void>;

  /** The longest life in seconds that was ever configured, this one included: a revocation has to outlive tokens that an older configuration issued. */
  longestLife(seconds: number): Promise<number>;
}

/**
 * The record: what token-exchange must not lose. One schema for SQLite and PostgreSQL.
 *
 * Every method resolves after the data is durable, and rejects when it could not be made so; nothing is decided without it.
 */
export interface Store extends AuditRecords {
  /** Whether other processes may write to the record at the same time. */
  readonly isShared: boolean;
  /** Runs `work` in one transaction; rolls back and rejects when it throws. `work` must not use the store itself. */
  transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T>;
  head(): Promise<Head>;
  /** Contiguous events from position `from` on, at most `limit`. */
  events(from: number, limit: number): Promise<readonly StoredEvent[]>;
  /** What the events from position `from` to `to`, both included, target; oldest first, without targets that expired and were forgotten. */
  targetsBetween(from: number, to: number): Promise<readonly StoredTarget[]>;
  /** Events that the courier has not taken yet, oldest first. */
  unsentEvents(limit: number): Promise<readonly StoredEvent[]>;
  markSent(n: number): Promise<void>;
  isSent(n: number): Promise<boolean>;
  /** Targets in force at `nowSeconds` with positions below `before`, newest first; `limit` rows. */
  listTargets(nowSeconds: number, before: number, limit: number): Promise<readonly StoredTarget[]>;
  suspensions(): Promise<readonly Suspension[]>;
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
 * Requests and events are kept this long, in milliseconds. No client repeats a request after a day; a verifier that was away for as long starts
 * from a snapshot, which holds what is still in force.
 */
const memoryMs = 24 * 60 * 60 * 1000;

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
  const epoch = options.newId();
  await db
    .insertInto('revocation_head')
    .values({ id: 1, epoch, n: 0, h: genesisHash(epoch) })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
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
    head: () => readHead(db),
    async targetsBetween(from, to) {
      const rows = await db.selectFrom('revocation_targets').selectAll().where('n', '>=', from).where('n', '<=', to).orderBy('n').execute();
      return rows.map(fromTargetRow);
    },
    async events(from, limit) {
      return await db
        .selectFrom('revocation_events')
        .select(['n', 'compact', 'hash', 't'])
        .where('n', '>=', from)
        .orderBy('n')
        .limit(limit)
        .execute();
    },
    async unsentEvents(limit) {
      return await db
        .selectFrom('revocation_events')
        .select(['n', 'compact', 'hash', 't'])
        .where('sent', '=', 0)
        .orderBy('n')
        .limit(limit)
        .execute();
    },
    async markSent(n) {
      await db.updateTable('revocation_events').set({ sent: 1 }).where('n', '=', n).execute();
    },
    async isSent(n) {
      const row = await db.selectFrom('revocation_events').select('sent').where('n', '=', n).executeTakeFirst();
      return row?.sent === 1;
    },
    async listTargets(nowSeconds, before, limit) {
      const rows = await db
        .selectFrom('revocation_targets')
        .selectAll()
        .where('exp', '>', nowSeconds)
        .where('n', '<', before)
        .orderBy('n', 'desc')
        .orderBy('kind')
        .orderBy('value')
        .limit(limit)
        .execute();
      return rows.map(fromTargetRow);
    },
    async suspensions() {
      const rows = await db.selectFrom('suspended_workloads').selectAll().orderBy('client_id').execute();
      return rows.map((row) => ({
        clientId: row.client_id,
        suspendedBy: row.suspended_by,
        suspendedAtMs: row.suspended_at,
        note: row.note,
      }));
    },
    async keysVersion() {
      return (await db.selectFrom('signing_keys_head').select('version').executeTakeFirstOrThrow()).version;
    },
    async deleteExpired(nowSeconds) {
      await db
        .deleteFrom('assertion_ids')
        .where('exp', '<', nowSeconds - assertionGraceSeconds)
        .execute();
      await deleteExpiredGrants(db, nowSeconds);
      await db.deleteFrom('revocation_targets').where('exp', '<=', nowSeconds).execute();
      await db
        .deleteFrom('revocation_requests')
        .where('acknowledged_at', '<', nowSeconds * 1000 - memoryMs)
        .execute();
      await db
        .deleteFrom('revocation_events')
        .where('sent', '=', 1)
        .where('t', '<', nowSeconds * 1000 - memoryMs)
        .execute();
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
    async useAssertionId(clientId, jti, exp) {
      const result = await db
        .insertInto('assertion_ids')
        .values({ client_id: clientId, jti, exp })
        .onConflict((conflict) => conflict.columns(['client_id', 'jti']).doNothing())
        .executeTakeFirst();
      return result.numInsertedOrUpdatedRows === 1n;
    },
    head: () => readHead(db),
    holdHead: () => holdHead(db),
    async isRevoked({ jti, kid, watermarks, rn }) {
      const row = await db
        .selectFrom('revocation_targets')
        .select('n')
        .where(({ eb, or, and }) =>
          or([
            and([eb('kind', '=', 'token'), eb('value', '=', jti)]),
            and([eb('kind', '=', 'key'), eb('value', '=', kid)]),
            ...watermarks.map(({ kind, value }) => and([eb('kind', '=', kind), eb('value', '=', value), eb('n', '>', rn)])),
          ]),
        )
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },
    async suspendedAmong(clientIds) {
      const rows = await db.selectFrom('suspended_workloads').select('client_id').where('client_id', 'in', clientIds).execute();
      return rows.map((row) => row.client_id);
    },
    async replaceLog({ epoch, n, h }) {
      await db.deleteFrom('revocation_events').execute();
      await db.updateTable('revocation_head').set({ epoch, n, h }).execute();
    },
    async appendEvent({ n, compact, hash, t, sent }, targets) {
      // who did not hold the head fails here instead of forking the chain
      const moved = await db
        .updateTable('revocation_head')
        .set({ n, h: hash })
        .where('n', '=', n - 1)
        .executeTakeFirst();
      if (moved.numUpdatedRows !== 1n) throw new Error(`position ${n} of the revocation log does not follow its head`);
      await db
        .insertInto('revocation_events')
        .values({ n, compact, hash, t, sent: sent ? 1 : 0 })
        .execute();
      await db
        .insertInto('revocation_targets')
        .values(targets.map(({ kind, value, exp, revokedBy, note }) => ({ kind, value, exp, n, t, revoked_by: revokedBy, note })))
        .execute();
    },
    async addRequest({ requestedBy, requestId, digest, n, acknowledgedAtMs }) {
      await db
        .insertInto('revocation_requests')
        .values({ requested_by: requestedBy, request_id: requestId, digest, n, acknowledged_at: acknowledgedAtMs })
        .execute();
    },
    async findRequest(requestedBy, requestId) {
      const row = await db
        .selectFrom('revocation_requests')
        .selectAll()
        .where('requested_by', '=', requestedBy)
        .where('request_id', '=', requestId)
        .executeTakeFirst();
      return row && { requestedBy, requestId, digest: row.digest, n: row.n, acknowledgedAtMs: row.acknowledged_at };
    },
    async suspend({ clientId, suspendedBy, suspendedAtMs, note }) {
      await db
        .insertInto('suspended_workloads')
        .values({ client_id: clientId, suspended_by: suspendedBy, suspended_at: suspendedAtMs, note })
        .onConflict((conflict) => conflict.column('client_id').doNothing())
        .execute();
    },
    async resume(clientId) {
      await db.deleteFrom('suspended_workloads').where('client_id', '=', clientId).execute();
    },
    async targetsInForce(nowSeconds) {
      const rows = await db.selectFrom('revocation_targets').selectAll().where('exp', '>', nowSeconds).orderBy('n').execute();
      return rows.map(fromTargetRow);
    },
    async keys() {
      const rows = await db.selectFrom('signing_keys').selectAll().orderBy('changed_at').orderBy('kid').execute();
      return rows.map((row) => ({
        kid: row.kid,
        purpose: row.purpose,
        alg: row.alg,
        state: row.state,
        sealed: row.sealed,
        changedAtMs: row.changed_at,
        rotationRequestedAtMs: row.rotation_requested_at,
      }));
    },
    async lockKeys() {
      await db
        .updateTable('signing_keys_head')
        .set(({ eb }) => ({ version: eb('version', '+', 1) }))
        .execute();
    },
    async addKey({ kid, purpose, alg, state, sealed, changedAtMs, rotationRequestedAtMs }) {
      await db
        .insertInto('signing_keys')
        .values({ kid, purpose, alg, state, sealed, changed_at: changedAtMs, rotation_requested_at: rotationRequestedAtMs })
        .execute();
    },
    async moveKey(kid, from, to, nowMs) {
      const moved = await db
        .updateTable('signing_keys')
        .set({ state: to, changed_at: nowMs, rotation_requested_at: 0 })
        .where('kid', '=', kid)
        .where('state', '=', from)
        .executeTakeFirst();
      return moved.numUpdatedRows === 1n;
    },
    async requestRotation(kid, nowMs) {
      await db
        .updateTable('signing_keys')
        .set({ rotation_requested_at: nowMs })
        .where('kid', '=', kid)
        .where('state', '=', 'active')
        .where('rotation_requested_at', '=', 0)
        .execute();
    },
    async removeKey(kid) {
      await db.deleteFrom('signing_keys').where('kid', '=', kid).execute();
    },
    async oldestEventMs() {
      const row = await db.selectFrom('revocation_events').select('t').orderBy('t').limit(1).executeTakeFirst();
      return row?.t;
    },
    async readiness() {
      const rows = await db.selectFrom('signing_key_readiness').selectAll().execute();
      return rows.map(({ replica, kid, awaited, heard_at }) => ({ replica, kid, awaited, heardAtMs: heard_at }));
    },
    async putReadiness({ replica, kid, awaited, heardAtMs }, staleMs) {
      await db
        .deleteFrom('signing_key_readiness')
        .where(({ eb, or }) => or([eb('replica', '=', replica), eb('heard_at', '<', staleMs)]))
        .execute();
      await db.insertInto('signing_key_readiness').values({ replica, kid, awaited, heard_at: heardAtMs }).execute();
    },
    async forgetEvents(n) {
      await db.deleteFrom('revocation_events').where('n', '<=', n).execute();
    },
    async longestLife(seconds) {
      const key = 'longest_life_seconds';
      const read = async () => Number((await db.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst())?.value ?? 0);
      const known = await read();
      if (known >= seconds) return known;
      // a longer one waits for revocations under way: they counted on the shorter one, and cover no token that is issued from here on
      await holdHead(db);
      const longest = Math.max(seconds, await read());
      await db
        .insertInto('meta')
        .values({ key, value: String(longest) })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: sql`excluded.value` }))
        .execute();
      return longest;
    },
  };
}

async function readHead(db: Kysely<Tables>): Promise<Head> {
  return await db.selectFrom('revocation_head').select(['epoch', 'n', 'h']).executeTakeFirstOrThrow();
}

// writing the row as it is takes its lock in every engine; SQLite has no SELECT … FOR UPDATE
async function holdHead(db: Transaction<Tables>): Promise<Head> {
  return await db
    .updateTable('revocation_head')
    .set(({ ref }) => ({ id: ref('id') }))
    .returning(['epoch', 'n', 'h'])
    .executeTakeFirstOrThrow();
}

function fromTargetRow(row: Tables['revocation_targets']): StoredTarget {
  return { kind: row.kind, value: row.value, exp: row.exp, n: row.n, t: row.t, revokedBy: row.revoked_by, note: row.note };
}
