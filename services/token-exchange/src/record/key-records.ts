import type { Algorithm } from '@tokenmesh/token';
import type { Kysely } from 'kysely';
import type { Tables } from './migrations.ts';

/**
 * Life of a signing key (protocol section 8).
 *
 * - `prepared`: generated and stored; nobody outside knows it.
 * - `published`: in the JWKS, so that verifiers learn it; does not sign yet.
 * - `active`: signs. Exactly one per purpose.
 * - `retiring`: verifies only, until the longest token it signed is dead.
 * - `withdrawn`: emergency; out of the JWKS and revoked.
 */
export type KeyState = (typeof keyStates)[number];

/** The states in the order of a life. */
export const keyStates = ['prepared', 'published', 'active', 'retiring', 'withdrawn'] as const;

/** Token keys sign service tokens, feed keys sign events, checkpoints and snapshots: never the other way round. */
export type KeyPurpose = (typeof keyPurposes)[number];

export const keyPurposes = ['token', 'feed'] as const;

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

/** The part of a store's transaction that keeps the signing keys. */
export interface KeyRecords {
  keys(): Promise<readonly StoredKey[]>;
  /**
   * Makes this transaction the only one that changes keys, until it ends: read them after this, not before. Whoever polls `keysVersion` sees that
   * they changed.
   *
   * @param changes How many it counts as; default 1.
   */
  lockKeys(changes?: number): Promise<void>;
  addKey(key: StoredKey): Promise<void>;
  /** Moves a key from one state to another; `false` when it was not in that state. */
  moveKey(kid: string, from: KeyState, to: KeyState, nowMs: number): Promise<boolean>;
  /** Notes that the successor of an active key is wanted; the first wish stands. */
  requestRotation(kid: string, nowMs: number): Promise<void>;
  removeKey(kid: string): Promise<void>;
  readiness(): Promise<readonly KeyReadiness[]>;
  /** Replaces what this replica said before, and forgets what others said before `staleMs`. */
  putReadiness(readiness: KeyReadiness, staleMs: number): Promise<void>;
}

export function createKeyRecords(db: Kysely<Tables>): KeyRecords {
  return {
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
    async lockKeys(changes = 1) {
      await db
        .updateTable('signing_keys_head')
        .set(({ eb }) => ({ version: eb('version', '+', changes) }))
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
  };
}

/** Grows with every change of the signing keys. */
export async function readKeysVersion(db: Kysely<Tables>): Promise<number> {
  return (await db.selectFrom('signing_keys_head').select('version').executeTakeFirstOrThrow()).version;
}
