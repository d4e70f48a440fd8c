import type { TargetKind } from '@tokenmesh/revocation';
import type { Algorithm } from '@tokenmesh/token';
import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { type AppliedTermsTables, appliedTermsMigration } from './applied-terms.ts';
import { type AuditTables, auditMigration } from './audit-records.ts';
import { type GrantTables, grantsMigration } from './grant-records.ts';
import type { KeyPurpose, KeyState } from './key-records.ts';
import { requestTimesMigration } from './revocation-records.ts';

/**
 * The schema as it stands after the last migration.
 *
 * Only `text`, `bigint` and `integer` are used: SQLite and PostgreSQL agree on them. Times in seconds follow the RFCs' names (`exp`),
 * all others are milliseconds since epoch.
 */
export interface Tables extends GrantTables, AppliedTermsTables, AuditTables {
  meta: { key: string; value: string };
  /** One row: what readers of the log's position read, and what writers of it contend for. */
  revocation_head: { id: number; epoch: string; n: number; h: string };
  /** The log, and its outbox: `sent` is 0 until the courier has the event. */
  revocation_events: { n: number; compact: string; hash: string; t: number; sent: number };
  revocation_targets: { kind: TargetKind; value: string; exp: number; n: number; t: number; revoked_by: string; note: string };
  /** One event answers many requests, so their ids have a table of their own. */
  revocation_requests: { requested_by: string; request_id: string; digest: string; n: number; acknowledged_at: number };
  suspended_workloads: { client_id: string; suspended_by: string; suspended_at: number; note: string };
  assertion_ids: { client_id: string; jti: string; exp: number };
  signing_keys: {
    kid: string;
    purpose: KeyPurpose;
    alg: Algorithm;
    state: KeyState;
    sealed: string;
    changed_at: number;
    rotation_requested_at: number;
  };
  /** One row: what writers of signing keys contend for, and what tells everybody else that there is something to read. */
  signing_keys_head: { id: number; version: number };
  /** What each replica last heard of its verifiers: how many of them do not know `kid` yet. */
  signing_key_readiness: { replica: string; kid: string; awaited: number; heard_at: number };
}

const record: Migration = {
  // Kysely's own signature: a migration sees the schema of its time, which no current type describes
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('meta')
      .addColumn('key', 'text', (c) => c.primaryKey())
      .addColumn('value', 'text', (c) => c.notNull())
      .execute();
    await db.schema
      .createTable('revocation_head')
      .addColumn('id', 'integer', (c) => c.primaryKey())
      .addColumn('epoch', 'text', (c) => c.notNull())
      .addColumn('n', 'bigint', (c) => c.notNull())
      .addColumn('h', 'text', (c) => c.notNull())
      .execute();
    await db.schema
      .createTable('revocation_events')
      .addColumn('n', 'bigint', (c) => c.primaryKey())
      .addColumn('compact', 'text', (c) => c.notNull())
      .addColumn('hash', 'text', (c) => c.notNull())
      .addColumn('t', 'bigint', (c) => c.notNull())
      .addColumn('sent', 'integer', (c) => c.notNull())
      .execute();
    await db.schema.createIndex('revocation_events_unsent').on('revocation_events').columns(['sent', 'n']).where('sent', '=', 0).execute();
    await db.schema.createIndex('revocation_events_t').on('revocation_events').column('t').execute();
    await db.schema
      .createTable('revocation_targets')
      .addColumn('kind', 'text', (c) => c.notNull())
      .addColumn('value', 'text', (c) => c.notNull())
      .addColumn('exp', 'bigint', (c) => c.notNull())
      .addColumn('n', 'bigint', (c) => c.notNull())
      .addColumn('t', 'bigint', (c) => c.notNull())
      .addColumn('revoked_by', 'text', (c) => c.notNull())
      .addColumn('note', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('revocation_targets_key', ['kind', 'value', 'n'])
      .execute();
    await db.schema.createIndex('revocation_targets_n').on('revocation_targets').column('n').execute();
    await db.schema.createIndex('revocation_targets_exp').on('revocation_targets').column('exp').execute();
    await db.schema
      .createTable('revocation_requests')
      .addColumn('requested_by', 'text', (c) => c.notNull())
      .addColumn('request_id', 'text', (c) => c.notNull())
      .addColumn('digest', 'text', (c) => c.notNull())
      .addColumn('n', 'bigint', (c) => c.notNull())
      .addColumn('acknowledged_at', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('revocation_requests_key', ['requested_by', 'request_id'])
      .execute();
    await db.schema
      .createTable('suspended_workloads')
      .addColumn('client_id', 'text', (c) => c.primaryKey())
      .addColumn('suspended_by', 'text', (c) => c.notNull())
      .addColumn('suspended_at', 'bigint', (c) => c.notNull())
      .addColumn('note', 'text', (c) => c.notNull())
      .execute();
    await db.schema
      .createTable('assertion_ids')
      .addColumn('client_id', 'text', (c) => c.notNull())
      .addColumn('jti', 'text', (c) => c.notNull())
      .addColumn('exp', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('assertion_ids_key', ['client_id', 'jti'])
      .execute();
    await db.schema.createIndex('assertion_ids_exp').on('assertion_ids').column('exp').execute();
    await db.schema
      .createTable('signing_keys')
      .addColumn('kid', 'text', (c) => c.primaryKey())
      .addColumn('purpose', 'text', (c) => c.notNull())
      .addColumn('alg', 'text', (c) => c.notNull())
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('sealed', 'text', (c) => c.notNull())
      .addColumn('changed_at', 'bigint', (c) => c.notNull())
      .execute();
  },
  async down(db: Kysely<unknown>) {
    const tables = [
      'signing_keys',
      'assertion_ids',
      'suspended_workloads',
      'revocation_requests',
      'revocation_targets',
      'revocation_events',
      'revocation_head',
      'meta',
    ];
    for (const table of tables) await db.schema.dropTable(table).execute();
  },
};

const keys: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .alterTable('signing_keys')
      .addColumn('rotation_requested_at', 'bigint', (c) => c.notNull().defaultTo(0))
      .execute();
    await db.schema
      .createTable('signing_keys_head')
      .addColumn('id', 'integer', (c) => c.primaryKey())
      .addColumn('version', 'bigint', (c) => c.notNull())
      .execute();
    // a table of the migration's own time, which no current type describes
    await (db as Kysely<Pick<Tables, 'signing_keys_head'>>).insertInto('signing_keys_head').values({ id: 1, version: 0 }).execute();
    await db.schema
      .createTable('signing_key_readiness')
      .addColumn('replica', 'text', (c) => c.primaryKey())
      .addColumn('kid', 'text', (c) => c.notNull())
      .addColumn('awaited', 'integer', (c) => c.notNull())
      .addColumn('heard_at', 'bigint', (c) => c.notNull())
      .execute();
  },
  async down(db: Kysely<unknown>) {
    await db.schema.dropTable('signing_key_readiness').execute();
    await db.schema.dropTable('signing_keys_head').execute();
    await db.schema.alterTable('signing_keys').dropColumn('rotation_requested_at').execute();
  },
};

/** Every migration, in the order of its name. A migration that was released is never edited. */
const migrations: Record<string, Migration> = {
  '0001_record': record,
  '0003_grants': grantsMigration,
  '0004_keys': keys,
  '0005_applied_terms': appliedTermsMigration,
  '0006_audit': auditMigration,
  '0007_request_times': requestTimesMigration,
};

/** Brings a database of any earlier release to the present schema. Rejects, and leaves a failed step undone, when one fails. */
export async function migrateToLatest(db: Kysely<Tables>): Promise<void> {
  const { error } = await createMigrator(db).migrateToLatest();
  if (error) throw error;
}

/** Undoes the latest migration, for a downgrade; what its tables held is lost. */
export async function migrateDown(db: Kysely<Tables>): Promise<void> {
  const { error } = await createMigrator(db).migrateDown();
  if (error) throw error;
}

function createMigrator(db: Kysely<Tables>): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => migrations } });
}
