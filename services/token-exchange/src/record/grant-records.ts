import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Tables } from './migrations.ts';
import type { Handles } from './revocation-records.ts';

/** What a refresh family was granted for; tokens are issued for it until `exp`. */
export interface StoredFamily {
  readonly sid: string;
  /** The only client that may refresh it. */
  readonly clientId: string;
  /** What every access token of the family has in common, and the scope that none of them goes beyond: JSON. */
  readonly grant: string;
  /** By what a revocation would find the family, as of the moment it began. */
  readonly handles: Handles;
  /** Seconds since epoch: no token is issued from here on. */
  readonly exp: number;
}

/** One refresh token at rest. */
export interface StoredRefreshToken {
  /** SHA-256, base64url. */
  readonly hash: string;
  readonly sid: string;
  /** Absent: it can be used still. */
  readonly use?: RefreshTokenUse;
}

/** How a refresh token was used up. */
export interface RefreshTokenUse {
  /** Milliseconds since epoch. */
  readonly usedAtMs: number;
  /** SHA-256 of what was asked for. */
  readonly digest: string;
  /** The answer, sealed with the token that was used; empty once it was forgotten. */
  readonly sealedAnswer: string;
}

/** One opaque access token at rest. */
export interface StoredOpaqueToken {
  /** SHA-256, base64url. */
  readonly hash: string;
  /** Claims of a service token: JSON. */
  readonly claims: string;
  /** Seconds since epoch. */
  readonly exp: number;
}

/** The part of a store's transaction that keeps grants. */
export interface GrantRecords {
  addFamily(family: StoredFamily): Promise<void>;
  findFamily(sid: string): Promise<StoredFamily | undefined>;
  /** When the family that goes on longest is over, in seconds since epoch; 0 when there is none. */
  latestFamilyExp(): Promise<number>;
  /** Adds a token that was not used yet. */
  addRefreshToken(token: Pick<StoredRefreshToken, 'hash' | 'sid'>): Promise<void>;
  findRefreshToken(hash: string): Promise<StoredRefreshToken | undefined>;
  /** Compare-and-set: `true` for exactly one use of each token, whoever else tries at the same instant on whatever replica. */
  useRefreshToken(hash: string, use: RefreshTokenUse): Promise<boolean>;
  addOpaqueToken(token: StoredOpaqueToken): Promise<void>;
  findOpaqueToken(hash: string): Promise<StoredOpaqueToken | undefined>;
  /** Whether any of these was revoked at or after `sinceMs` (milliseconds since epoch): for foreign tokens, which have no `rn`. */
  isRevokedSince(watermarks: Handles['watermarks'], sinceMs: number): Promise<boolean>;
}

/** Tables of grants; times as everywhere: `exp` in seconds, all others in milliseconds since epoch. */
export interface GrantTables {
  refresh_families: { sid: string; client_id: string; grant_json: string; handles_json: string; exp: number };
  /** `used_at` is 0 until the token was used. */
  refresh_tokens: { hash: string; sid: string; used_at: number; digest: string; sealed_answer: string };
  opaque_tokens: { hash: string; claims_json: string; exp: number };
}

/** A retry finds the answer of a use for this long; the protocol says 2 s. */
export const retryWindowMs = 2000;

/** More than any clock tolerance. */
const graceSeconds = 120;

export const grantsMigration: Migration = {
  // Kysely's own signature: a migration sees the schema of its time, which no current type describes
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('refresh_families')
      .addColumn('sid', 'text', (c) => c.primaryKey())
      .addColumn('client_id', 'text', (c) => c.notNull())
      .addColumn('grant_json', 'text', (c) => c.notNull())
      .addColumn('handles_json', 'text', (c) => c.notNull())
      .addColumn('exp', 'bigint', (c) => c.notNull())
      .execute();
    await db.schema.createIndex('refresh_families_exp').on('refresh_families').column('exp').execute();
    await db.schema
      .createTable('refresh_tokens')
      .addColumn('hash', 'text', (c) => c.primaryKey())
      .addColumn('sid', 'text', (c) => c.notNull())
      .addColumn('used_at', 'bigint', (c) => c.notNull())
      .addColumn('digest', 'text', (c) => c.notNull())
      .addColumn('sealed_answer', 'text', (c) => c.notNull())
      .execute();
    await db.schema.createIndex('refresh_tokens_sid').on('refresh_tokens').column('sid').execute();
    await db.schema
      .createIndex('refresh_tokens_answered')
      .on('refresh_tokens')
      .column('used_at')
      .where(sql.ref('sealed_answer'), '!=', sql.lit(''))
      .execute();
    await db.schema
      .createTable('opaque_tokens')
      .addColumn('hash', 'text', (c) => c.primaryKey())
      .addColumn('claims_json', 'text', (c) => c.notNull())
      .addColumn('exp', 'bigint', (c) => c.notNull())
      .execute();
    await db.schema.createIndex('opaque_tokens_exp').on('opaque_tokens').column('exp').execute();
  },
  async down(db: Kysely<unknown>) {
    for (const table of ['opaque_tokens', 'refresh_tokens', 'refresh_families']) await db.schema.dropTable(table).execute();
  },
};

/** The records of grants in one transaction of either database. */
export function createGrantRecords(db: Kysely<Tables>): GrantRecords {
  return {
    async addFamily({ sid, clientId, grant, handles, exp }) {
      await db
        .insertInto('refresh_families')
        .values({ sid, client_id: clientId, grant_json: grant, handles_json: JSON.stringify(handles), exp })
        .execute();
    },
    async findFamily(sid) {
      const row = await db.selectFrom('refresh_families').selectAll().where('sid', '=', sid).executeTakeFirst();
      // true: addFamily wrote it
      return row && { sid, clientId: row.client_id, grant: row.grant_json, handles: JSON.parse(row.handles_json) as Handles, exp: row.exp };
    },
    async latestFamilyExp() {
      const row = await db.selectFrom('refresh_families').select('exp').orderBy('exp', 'desc').limit(1).executeTakeFirst();
      return row?.exp ?? 0;
    },
    async addRefreshToken({ hash, sid }) {
      await db.insertInto('refresh_tokens').values({ hash, sid, used_at: 0, digest: '', sealed_answer: '' }).execute();
    },
    async findRefreshToken(hash) {
      const row = await db.selectFrom('refresh_tokens').selectAll().where('hash', '=', hash).executeTakeFirst();
      if (!row) return undefined;
      const use = { usedAtMs: row.used_at, digest: row.digest, sealedAnswer: row.sealed_answer };
      return { hash, sid: row.sid, ...(row.used_at !== 0 && { use }) };
    },
    async useRefreshToken(hash, { usedAtMs, digest, sealedAnswer }) {
      const result = await db
        .updateTable('refresh_tokens')
        .set({ used_at: usedAtMs, digest, sealed_answer: sealedAnswer })
        .where('hash', '=', hash)
        .where('used_at', '=', 0)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },
    async addOpaqueToken({ hash, claims, exp }) {
      await db.insertInto('opaque_tokens').values({ hash, claims_json: claims, exp }).execute();
    },
    async findOpaqueToken(hash) {
      const row = await db.selectFrom('opaque_tokens').selectAll().where('hash', '=', hash).executeTakeFirst();
      return row && { hash, claims: row.claims_json, exp: row.exp };
    },
    async isRevokedSince(watermarks, sinceMs) {
      const row = await db
        .selectFrom('revocation_targets')
        .select('t')
        .where('t', '>=', sinceMs)
        .where(({ eb, or, and }) => or(watermarks.map(({ kind, value }) => and([eb('kind', '=', kind), eb('value', '=', value)]))))
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },
  };
}

/** Forgets families and opaque tokens that are over, and the answers that no retry may have any more. A used refresh token stays known for as long as its family. */
export async function deleteExpiredGrants(db: Kysely<Tables>, nowSeconds: number): Promise<void> {
  const over = nowSeconds - graceSeconds;
  await db
    .deleteFrom('refresh_tokens')
    .where('sid', 'in', (families) => families.selectFrom('refresh_families').select('sid').where('exp', '<', over))
    .execute();
  await db.deleteFrom('refresh_families').where('exp', '<', over).execute();
  await db.deleteFrom('opaque_tokens').where('exp', '<', over).execute();
  await db
    .updateTable('refresh_tokens')
    .set({ sealed_answer: '' })
    .where('sealed_answer', '!=', '')
    .where('used_at', '<', nowSeconds * 1000 - retryWindowMs)
    .execute();
}
