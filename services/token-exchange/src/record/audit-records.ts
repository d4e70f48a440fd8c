import { hash as digest } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { FixedStatements } from './fixed-statements.ts';
import type { Tables } from './migrations.ts';

/** What happened once, or `count` times alike. Never token bytes: tokens are named by `jti`. */
export interface AuditEntry {
  /** Milliseconds since epoch; of the first one when there were several. */
  readonly t: number;
  /** `token.issued`, `key.activated`, …: docs/reference/audit.md has all. */
  readonly kind: string;
  /** The identity that acted, as verified; `token-exchange` itself; empty when nobody proved to be anybody. */
  readonly who: string;
  /** To what it was done: audience, scope, target, kid. */
  readonly what: Readonly<Record<string, string>>;
  readonly decision: 'allowed' | 'refused';
  /** The rule of the policy that allowed it, or the reason of the refusal; empty where neither decides. */
  readonly reason: string;
  readonly jti: string;
  readonly txn: string;
  /** Of the active span, 32 hexadecimal digits; empty without one. */
  readonly traceId: string;
  readonly count: number;
}

/** An entry in its chain: number `seq` of it, from 1 on. */
export interface AuditEvent extends AuditEntry {
  readonly chain: number;
  readonly seq: number;
}

/** Which events are asked for; absent: whatever it is. */
export interface AuditFilter {
  /** Milliseconds since epoch, included. */
  readonly sinceMs?: number;
  /** Milliseconds since epoch, not included. */
  readonly untilMs?: number;
  readonly kind?: string;
  readonly who?: string;
  readonly jti?: string;
  readonly txn?: string;
}

/** Where a page ended. */
export type AuditPosition = Pick<AuditEvent, 't' | 'chain' | 'seq'>;

/** Reads the audit, and forgets the oldest of it. */
export interface AuditRecords {
  /** Newest first, beginning after `after`. */
  queryAudit(filter: AuditFilter, limit: number, after?: AuditPosition): Promise<readonly AuditEvent[]>;
  /** The last number of each chain. */
  auditHeads(): Promise<ReadonlyMap<number, number>>;
  /** Of one chain, those after `seq`, oldest first. */
  auditAfter(chain: number, seq: number, limit: number): Promise<readonly AuditEvent[]>;
  /**
   * Verifies every chain, also while others write to it. Finds an event that was changed, removed, inserted or moved, and a chain that was removed.
   * Does NOT find what was done by somebody who recomputed every hash after it: see docs/reference/audit.md.
   */
  verifyAudit(): Promise<VerifiedAudit>;
  /** Forgets what happened before this, in milliseconds since epoch; the rest still verifies. */
  trimAudit(beforeMs: number): Promise<void>;
}

export interface VerifiedAudit {
  /** The first break of each chain that does not hold. */
  readonly breaks: readonly AuditBreak[];
  /** Where the chains stand that hold: to be compared with what was noted elsewhere. */
  readonly heads: readonly ChainHead[];
  /** How many events were verified. */
  readonly events: number;
}

/** Where a chain does not hold. */
export interface AuditBreak {
  readonly chain: number;
  /** The number from which on nothing is proved; 0: the whole chain. */
  readonly seq: number;
  readonly problem: string;
}

export interface AuditTables {
  audit_events: {
    chain: number;
    seq: number;
    t: number;
    kind: string;
    who: string;
    /** A JSON object of text. */
    what: string;
    decision: AuditEntry['decision'];
    reason: string;
    jti: string;
    txn: string;
    trace_id: string;
    count: number;
    /** SHA-256 over the hash before it and this event. */
    hash: string;
  };
  /** Where each chain stands, and the last event of it that was forgotten: what the first one that is kept follows. */
  audit_chains: { chain: number; seq: number; hash: string; anchor_seq: number; anchor_hash: string };
  /** One row: how many chains were ever begun. */
  audit_chain_count: { id: number; count: number };
}

export const auditMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('audit_events')
      .addColumn('chain', 'bigint', (c) => c.notNull())
      .addColumn('seq', 'bigint', (c) => c.notNull())
      .addColumn('t', 'bigint', (c) => c.notNull())
      .addColumn('kind', 'text', (c) => c.notNull())
      .addColumn('who', 'text', (c) => c.notNull())
      .addColumn('what', 'text', (c) => c.notNull())
      .addColumn('decision', 'text', (c) => c.notNull())
      .addColumn('reason', 'text', (c) => c.notNull())
      .addColumn('jti', 'text', (c) => c.notNull())
      .addColumn('txn', 'text', (c) => c.notNull())
      .addColumn('trace_id', 'text', (c) => c.notNull())
      .addColumn('count', 'bigint', (c) => c.notNull())
      .addColumn('hash', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('audit_events_key', ['chain', 'seq'])
      .execute();
    await db.schema.createIndex('audit_events_t').on('audit_events').columns(['t', 'chain', 'seq']).execute();
    await db.schema.createIndex('audit_events_jti').on('audit_events').column('jti').where('jti', '!=', '').execute();
    await db.schema.createIndex('audit_events_txn').on('audit_events').column('txn').where('txn', '!=', '').execute();
    await db.schema
      .createTable('audit_chains')
      .addColumn('chain', 'bigint', (c) => c.primaryKey())
      .addColumn('seq', 'bigint', (c) => c.notNull())
      .addColumn('hash', 'text', (c) => c.notNull())
      .addColumn('anchor_seq', 'bigint', (c) => c.notNull())
      .addColumn('anchor_hash', 'text', (c) => c.notNull())
      .execute();
    await db.schema
      .createTable('audit_chain_count')
      .addColumn('id', 'integer', (c) => c.primaryKey())
      .addColumn('count', 'bigint', (c) => c.notNull())
      .execute();
    // a table of the migration's own time, which no current type describes
    await (db as Kysely<AuditTables>).insertInto('audit_chain_count').values({ id: 1, count: 0 }).execute();
  },
  async down(db: Kysely<unknown>) {
    for (const table of ['audit_chain_count', 'audit_chains', 'audit_events']) await db.schema.dropTable(table).execute();
  },
};

/** Where a chain stands. */
export interface ChainHead {
  readonly chain: number;
  readonly seq: number;
  readonly hash: string;
}

/**
 * Appends entries to a chain, or to a new one without `head`, as the last thing that a transaction does: what it takes is held until the commit.
 *
 * @returns Where the chain stands once the transaction is committed.
 * @throws {Error} When the chain was continued by somebody else.
 */
export async function appendAudit(
  db: Transaction<Tables>,
  statements: FixedStatements,
  head: ChainHead | undefined,
  entries: readonly AuditEntry[],
): Promise<ChainHead> {
  const { chain, seq: last, hash: lastHash } = head ?? (await beginChain(db));
  let [seq, hash] = [last, lastHash];
  const rows = entries.map((entry) => {
    seq += 1;
    const row = toRow(chain, seq, entry);
    hash = hashRow(hash, row);
    return { ...row, hash };
  });
  await statements.addAuditEvents(db, rows);
  if (!(await statements.moveAuditChain(db, chain, last, { seq, hash }))) throw new Error(`audit chain ${chain} does not stand at ${last}`);
  return { chain, seq, hash };
}

async function beginChain(db: Transaction<Tables>): Promise<ChainHead> {
  const { count: chain } = await db
    .updateTable('audit_chain_count')
    .set(({ eb }) => ({ count: eb('count', '+', 1) }))
    .returning('count')
    .executeTakeFirstOrThrow();
  const hash = genesisOf(chain);
  await db.insertInto('audit_chains').values({ chain, seq: 0, hash, anchor_seq: 0, anchor_hash: hash }).execute();
  return { chain, seq: 0, hash };
}

/** What the first event of a chain follows. */
function genesisOf(chain: number): string {
  return digest('sha256', `tokenmesh audit chain ${chain}`, 'base64url');
}

type AuditRow = Omit<AuditTables['audit_events'], 'hash'>;

/** H(seq) = SHA-256(H(seq-1) || canonical event): the columns as a JSON list, in this order. */
function hashRow(previous: string, row: AuditRow): string {
  const { chain, seq, t, kind, who, what, decision, reason, jti, txn, trace_id, count } = row;
  const canonical = JSON.stringify([chain, seq, t, kind, who, what, decision, reason, jti, txn, trace_id, count]);
  return digest('sha256', Buffer.concat([Buffer.from(previous, 'base64url'), Buffer.from(canonical)]), 'base64url');
}

function toRow(chain: number, seq: number, { traceId, what, ...others }: AuditEntry): AuditRow {
  return { chain, seq, ...others, what: JSON.stringify(what), trace_id: traceId };
}

function fromRow({ what, trace_id, hash: _, ...others }: AuditTables['audit_events']): AuditEvent {
  return { ...others, what: JSON.parse(what) as Record<string, string>, traceId: trace_id }; // true: toRow wrote it
}

export function createAuditRecords(db: Kysely<Tables>): AuditRecords {
  return {
    async queryAudit({ sinceMs, untilMs, kind, who, jti, txn }, limit, after) {
      let query = db.selectFrom('audit_events').selectAll();
      if (sinceMs !== undefined) query = query.where('t', '>=', sinceMs);
      if (untilMs !== undefined) query = query.where('t', '<', untilMs);
      if (kind !== undefined) query = query.where('kind', '=', kind);
      if (who !== undefined) query = query.where('who', '=', who);
      if (jti !== undefined) query = query.where('jti', '=', jti).where('jti', '!=', '');
      if (txn !== undefined) query = query.where('txn', '=', txn).where('txn', '!=', '');
      if (after) query = query.where(sql<boolean>`(t, chain, seq) < (${after.t}, ${after.chain}, ${after.seq})`);
      const rows = await query.orderBy('t', 'desc').orderBy('chain', 'desc').orderBy('seq', 'desc').limit(limit).execute();
      return rows.map(fromRow);
    },
    async auditHeads() {
      const rows = await db.selectFrom('audit_chains').select(['chain', 'seq']).execute();
      return new Map(rows.map(({ chain, seq }) => [chain, seq]));
    },
    auditAfter: async (chain, seq, limit) => (await rowsAfter(db, chain, seq, limit)).map(fromRow),
    verifyAudit: () => verifyAudit(db),
    async trimAudit(beforeMs) {
      const due = await db.selectFrom('audit_events').select('chain').distinct().where('t', '<', beforeMs).execute();
      for (const { chain } of due) {
        while (await db.transaction().execute((transaction) => trimChain(transaction, chain, beforeMs)));
      }
    },
  };
}

async function rowsAfter(db: Kysely<Tables>, chain: number, seq: number, limit: number) {
  return await db
    .selectFrom('audit_events')
    .selectAll()
    .where('chain', '=', chain)
    .where('seq', '>', seq)
    .orderBy('seq')
    .limit(limit)
    .execute();
}

/** Events forgotten in one transaction: whoever writes to the chain waits for it. */
const maxTrimmed = 5000;

/** Whether there may be more to forget. */
async function trimChain(db: Transaction<Tables>, chain: number, beforeMs: number): Promise<boolean> {
  // as it is: takes the lock of the row in every engine, so that two replicas do not both move the anchor
  const head = await db
    .updateTable('audit_chains')
    .set(({ ref }) => ({ chain: ref('chain') }))
    .where('chain', '=', chain)
    .returning(['anchor_seq'])
    .executeTakeFirst();
  if (!head) return false;
  // an event that is kept keeps all after it, whatever their clock said: a chain has no holes
  const kept = await db
    .selectFrom('audit_events')
    .select(({ fn }) => fn.min('seq').as('seq'))
    .where('chain', '=', chain)
    .where('t', '>=', beforeMs)
    .executeTakeFirst();
  const last = await db
    .selectFrom('audit_events')
    .select(['seq', 'hash'])
    .where('chain', '=', chain)
    .where('seq', '<=', head.anchor_seq + maxTrimmed)
    .$if(typeof kept?.seq === 'number', (query) => query.where('seq', '<', Number(kept?.seq)))
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (!last) return false;
  await db.updateTable('audit_chains').set({ anchor_seq: last.seq, anchor_hash: last.hash }).where('chain', '=', chain).execute();
  await db.deleteFrom('audit_events').where('chain', '=', chain).where('seq', '<=', last.seq).execute();
  return last.seq === head.anchor_seq + maxTrimmed;
}

const pageSize = 1000;

async function verifyAudit(db: Kysely<Tables>): Promise<VerifiedAudit> {
  const { count } = await db.selectFrom('audit_chain_count').select('count').executeTakeFirstOrThrow();
  const chains = await db.selectFrom('audit_chains').select('chain').execute();
  const known = new Set(chains.map(({ chain }) => chain));
  for (const { chain } of await db.selectFrom('audit_events').select('chain').distinct().execute()) known.add(chain);
  for (let chain = 1; chain <= count; chain++) known.add(chain);
  const breaks: AuditBreak[] = [];
  const heads: ChainHead[] = [];
  let events = 0;
  for (const chain of [...known].sort((a, b) => a - b)) {
    const outcome = await verifyAuditChain(db, chain);
    if ('problem' in outcome) breaks.push(outcome);
    else {
      heads.push(outcome.head);
      events += outcome.events;
    }
  }
  return { breaks, heads, events };
}

/** Verifies one chain, from its anchor to its head. */
async function verifyAuditChain(
  db: Kysely<Tables>,
  chain: number,
): Promise<AuditBreak | { readonly head: ChainHead; readonly events: number }> {
  const readChain = () => db.selectFrom('audit_chains').selectAll().where('chain', '=', chain).executeTakeFirst();
  const broken = (seq: number, problem: string): AuditBreak => ({ chain, seq, problem });
  const anchor = await readChain();
  if (!anchor) return broken(0, 'the chain is not there');
  if (anchor.anchor_seq === 0 && anchor.anchor_hash !== genesisOf(chain)) return broken(1, 'the beginning of the chain was changed');
  let [seq, hash, read] = [anchor.anchor_seq, anchor.anchor_hash, -1];
  for (;;) {
    const rows = await rowsAfter(db, chain, read, pageSize);
    for (const row of rows) {
      if (row.seq !== seq + 1) {
        const now = await readChain();
        // forgotten while it was read
        if (now && now.anchor_seq > anchor.anchor_seq && seq < now.anchor_seq) return await verifyAuditChain(db, chain);
        return row.seq <= seq ? broken(row.seq, 'an event stands where none belongs') : broken(seq + 1, 'an event is missing');
      }
      if (hashRow(hash, row) !== row.hash) return broken(row.seq, 'the event was changed, or does not follow the one before it');
      [seq, hash, read] = [row.seq, row.hash, row.seq];
    }
    if (rows.length === pageSize) continue;
    const head = await readChain(); // after the events: what was committed since counts in it
    if (!head) return broken(0, 'the chain is not there');
    if (head.seq === seq)
      return head.hash === hash
        ? { head: { chain, seq, hash }, events: seq - anchor.anchor_seq }
        : broken(seq, 'the head of the chain is another one');
    if (head.seq < seq) return broken(head.seq + 1, 'an event was appended behind the head of the chain');
    if (head.anchor_seq > anchor.anchor_seq && seq < head.anchor_seq) return await verifyAuditChain(db, chain);
    const more = await rowsAfter(db, chain, seq, 1);
    if (more.length === 0) return broken(seq + 1, 'events at the end of the chain are missing');
  }
}
