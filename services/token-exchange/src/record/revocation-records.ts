import { genesisHash, type Target, type TargetKind } from '@tokenmesh/revocation';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Migration } from 'kysely/migration';
import { deleteInSlices } from './delete-in-slices.ts';
import type { FixedStatements } from './fixed-statements.ts';
import type { Tables } from './migrations.ts';

/** Where the revocation log stands: epoch E, last position n, chain hash H(n). */
export interface Head {
  readonly epoch: string;
  readonly n: number;
  readonly h: string;
}

/** One event of the log as it is kept. */
export interface StoredEvent {
  readonly n: number;
  readonly compact: string;
  readonly hash: string;
  /** Milliseconds since epoch. */
  readonly t: number;
}

/** How far an event has come on its way to the courier. */
export interface Delivery extends Pick<StoredEvent, 'n' | 't'> {
  readonly sent: boolean;
}

/** A target of an event. */
export interface NumberedTarget extends Target {
  readonly n: number;
  /** Milliseconds since epoch. */
  readonly t: number;
}

/** A target of an event, with what operators want to know of it. */
export interface StoredTarget extends NumberedTarget {
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

/** The part of a store's transaction that keeps the revocation log and what is in force by it. */
export interface RevocationRecords {
  /**
   * Position of the log, to be stamped as `rn`. Read it BEFORE `isRevoked`, `isSuspended` and `suspendedAmong`.
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
  isSuspended(clientId: string): Promise<boolean>;
  /** Those of the given identities that are suspended. */
  suspendedAmong(clientIds: readonly string[]): Promise<readonly string[]>;

  /** Ends the log and begins another one: forgets its events and moves the head. Targets stay. After `holdHead`. */
  replaceLog(head: Head): Promise<void>;
  /** Appends an event whose `n` is one above the head's, and moves the head. */
  appendEvent(event: StoredEvent & { readonly sent: boolean }, targets: readonly StoredTarget[]): Promise<void>;
  /** Marks events that the courier has taken. */
  markSent(positions: readonly number[]): Promise<void>;
  addRequests(requests: readonly StoredRequest[]): Promise<void>;
  /** Those of the named requests that were answered before. */
  findRequests(names: readonly Pick<StoredRequest, 'requestedBy' | 'requestId'>[]): Promise<readonly StoredRequest[]>;
  suspend(suspension: Suspension): Promise<void>;
  resume(clientId: string): Promise<void>;

  /** Time of the oldest event that is kept, milliseconds since epoch; `undefined` when none is. */
  oldestEventMs(): Promise<number | undefined>;
  /** Removes the events up to position `n`: whoever needs them takes a snapshot instead. */
  forgetEvents(n: number): Promise<void>;

  /** The longest life in seconds that was ever configured, this one included: a revocation has to outlive tokens that an older configuration issued. */
  longestLife(seconds: number): Promise<number>;
}

/** The revocation log outside of a transaction. */
export interface RevocationReads {
  head(): Promise<Head>;
  /** Contiguous events from position `from` on, at most `limit`. */
  events(from: number, limit: number): Promise<readonly StoredEvent[]>;
  /** What the events from position `from` to `to`, both included, target; oldest first, without targets that expired and were forgotten. */
  targetsBetween(from: number, to: number): Promise<readonly StoredTarget[]>;
  /**
   * What the events up to position `n` target, without what was forgotten: at most 2 000 of them, in an order of their own. The next ones are `after` the
   * last of these; when there are none, these were all.
   */
  targetsUpTo(n: number, after?: Pick<NumberedTarget, 'kind' | 'value' | 'n'>): Promise<readonly NumberedTarget[]>;
  /** Events that the courier has not taken yet, oldest first. */
  unsentEvents(limit: number): Promise<readonly StoredEvent[]>;
  /** Of the events from position `from` on, at most `limit`: when they were appended, and whether the courier took them. */
  deliveries(from: number, limit: number): Promise<readonly Delivery[]>;
  isSent(n: number): Promise<boolean>;
  /** Targets in force at `nowSeconds` with positions below `before`, newest first; `limit` rows. */
  listTargets(nowSeconds: number, before: number, limit: number): Promise<readonly StoredTarget[]>;
  suspensions(): Promise<readonly Suspension[]>;
}

/**
 * Requests and events are kept this long, in milliseconds. No client repeats a request after a day; a verifier that was away for as long starts
 * from a snapshot, which holds what is still in force.
 */
const memoryMs = 24 * 60 * 60 * 1000;

/** Rows read at once: some milliseconds, in which SQLite lets nobody else in. */
const targetsAtOnce = 2_000;

/** Begins an epoch of the log in a record that has none. */
export async function beginLog(db: Kysely<Tables>, epoch: string): Promise<void> {
  await db
    .insertInto('revocation_head')
    .values({ id: 1, epoch, n: 0, h: genesisHash(epoch) })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

export function createRevocationReads(db: Kysely<Tables>): RevocationReads {
  return {
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
    async targetsUpTo(n, after) {
      const upTo = db.selectFrom('revocation_targets').select(['kind', 'value', 'exp', 'n', 't']).where('n', '<=', n);
      const rest = after
        ? upTo.where(({ eb, refTuple, tuple }) => eb(refTuple('kind', 'value', 'n'), '>', tuple(after.kind, after.value, after.n)))
        : upTo;
      return await rest.orderBy('kind').orderBy('value').orderBy('n').limit(targetsAtOnce).execute();
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
    async deliveries(from, limit) {
      const rows = await db
        .selectFrom('revocation_events')
        .select(['n', 't', 'sent'])
        .where('n', '>=', from)
        .orderBy('n')
        .limit(limit)
        .execute();
      return rows.map(({ n, t, sent }) => ({ n, t, sent: sent === 1 }));
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
  };
}

export function createRevocationRecords(db: Transaction<Tables>, statements: FixedStatements): RevocationRecords {
  return {
    head: () => statements.readHead(db),
    holdHead: () => statements.holdHead(db),
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
    isSuspended: (clientId) => statements.isSuspended(db, clientId),
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
      if (!(await statements.moveHead(db, { n, h: hash }))) throw new Error(`position ${n} of the revocation log does not follow its head`);
      await statements.addEvent(db, { n, compact, hash, t, sent: sent ? 1 : 0 });
      await statements.addTargets(
        db,
        targets.map(({ kind, value, exp, revokedBy, note }) => ({ kind, value, exp, n, t, revoked_by: revokedBy, note })),
      );
    },
    markSent: (positions) => statements.markSent(db, positions),
    async addRequests(requests) {
      await statements.addRequests(
        db,
        requests.map(({ requestedBy, requestId, digest, n, acknowledgedAtMs }) => ({
          requested_by: requestedBy,
          request_id: requestId,
          digest,
          n,
          acknowledged_at: acknowledgedAtMs,
        })),
      );
    },
    async findRequests(names) {
      const rows = await statements.findRequests(
        db,
        names.map(({ requestedBy, requestId }) => ({ requested_by: requestedBy, request_id: requestId })),
      );
      return rows.map((row) => ({
        requestedBy: row.requested_by,
        requestId: row.request_id,
        digest: row.digest,
        n: row.n,
        acknowledgedAtMs: row.acknowledged_at,
      }));
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
    async oldestEventMs() {
      const row = await db.selectFrom('revocation_events').select('t').orderBy('t').limit(1).executeTakeFirst();
      return row?.t;
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
      await statements.holdHead(db);
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

/** Forgets targets that cover no living token, and requests and sent events of the day before. */
export async function deleteExpiredRevocations(db: Kysely<Tables>, nowSeconds: number): Promise<void> {
  const dayAgoMs = nowSeconds * 1000 - memoryMs;
  await deleteInSlices((limit) =>
    db
      .deleteFrom('revocation_targets')
      .where(sql<boolean>`(kind, value, n) in (select kind, value, n from revocation_targets where exp <= ${nowSeconds} limit ${limit})`)
      .executeTakeFirst(),
  );
  await deleteInSlices((limit) =>
    db
      .deleteFrom('revocation_requests')
      .where(
        sql<boolean>`(requested_by, request_id) in
          (select requested_by, request_id from revocation_requests where acknowledged_at < ${dayAgoMs} limit ${limit})`,
      )
      .executeTakeFirst(),
  );
  await deleteInSlices((limit) =>
    db
      .deleteFrom('revocation_events')
      .where('n', 'in', (events) =>
        events.selectFrom('revocation_events').select('n').where('t', '<', dayAgoMs).where('sent', '=', 1).limit(limit),
      )
      .executeTakeFirst(),
  );
}

/** Requests are forgotten by their time: without it, each time all of them would be looked at. */
export const requestTimesMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.createIndex('revocation_requests_time').on('revocation_requests').column('acknowledged_at').execute();
  },
  async down(db: Kysely<unknown>) {
    await db.schema.dropIndex('revocation_requests_time').execute();
  },
};

async function readHead(db: Kysely<Tables>): Promise<Head> {
  return await db.selectFrom('revocation_head').select(['epoch', 'n', 'h']).executeTakeFirstOrThrow();
}

function fromTargetRow(row: Tables['revocation_targets']): StoredTarget {
  return { kind: row.kind, value: row.value, exp: row.exp, n: row.n, t: row.t, revokedBy: row.revoked_by, note: row.note };
}
