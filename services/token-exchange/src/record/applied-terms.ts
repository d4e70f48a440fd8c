import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Tables } from './migrations.ts';

/** Something that a configuration permits, or permitted: a workload, or the terms of one grant. */
export interface AppliedTerms {
  readonly clientId: string;
  /** Empty for the workload itself. */
  readonly audience: string;
  /** Of the permissions; names the terms among those that the two ever had. */
  readonly digest: string;
  /** What the terms hold, one by one: whoever takes one of them out takes something away. */
  readonly permissions: readonly string[];
  /** When what had been issued under it was revoked, milliseconds since epoch; 0: it is in force. */
  readonly withdrawnAtMs: number;
}

/** The part of a store's transaction that remembers what was in force. */
export interface AppliedTermsRecords {
  appliedTerms(): Promise<readonly AppliedTerms[]>;
  /** Adds terms, or replaces `withdrawnAtMs` of those that are there. */
  putAppliedTerms(terms: readonly AppliedTerms[]): Promise<void>;
  deleteAppliedTerms(terms: readonly AppliedTerms[]): Promise<void>;
}

export interface AppliedTermsTables {
  /** `permissions`: a list in JSON. */
  applied_terms: { client_id: string; audience: string; digest: string; permissions: string; withdrawn_at: number };
}

export const appliedTermsMigration: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('applied_terms')
      .addColumn('client_id', 'text', (c) => c.notNull())
      .addColumn('audience', 'text', (c) => c.notNull())
      .addColumn('digest', 'text', (c) => c.notNull())
      .addColumn('permissions', 'text', (c) => c.notNull())
      .addColumn('withdrawn_at', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('applied_terms_key', ['client_id', 'audience', 'digest'])
      .execute();
  },
  async down(db: Kysely<unknown>) {
    await db.schema.dropTable('applied_terms').execute();
  },
};

/** Rows of one statement: PostgreSQL takes 65 535 parameters, SQLite 32 766. */
const maxRows = 500;

export function createAppliedTermsRecords(db: Kysely<Tables>): AppliedTermsRecords {
  return {
    async appliedTerms() {
      const rows = await db.selectFrom('applied_terms').selectAll().orderBy('client_id').orderBy('audience').orderBy('digest').execute();
      return rows.map((row) => ({
        clientId: row.client_id,
        audience: row.audience,
        digest: row.digest,
        permissions: JSON.parse(row.permissions) as string[], // putAppliedTerms wrote it
        withdrawnAtMs: row.withdrawn_at,
      }));
    },
    async putAppliedTerms(terms) {
      for (let start = 0; start < terms.length; start += maxRows) {
        await db
          .insertInto('applied_terms')
          .values(
            terms.slice(start, start + maxRows).map(({ clientId, audience, digest, permissions, withdrawnAtMs }) => ({
              client_id: clientId,
              audience,
              digest,
              permissions: JSON.stringify(permissions),
              withdrawn_at: withdrawnAtMs,
            })),
          )
          .onConflict((conflict) =>
            conflict.columns(['client_id', 'audience', 'digest']).doUpdateSet({ withdrawn_at: sql`excluded.withdrawn_at` }),
          )
          .execute();
      }
    },
    async deleteAppliedTerms(terms) {
      for (const { clientId, audience, digest } of terms) {
        await db
          .deleteFrom('applied_terms')
          .where('client_id', '=', clientId)
          .where('audience', '=', audience)
          .where('digest', '=', digest)
          .execute();
      }
    },
  };
}
