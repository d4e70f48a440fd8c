import { randomBytes } from 'node:crypto';
import {
  type Algorithm,
  exportJwk,
  exportSigningKey,
  generateSigningKey,
  importSigningKey,
  type Jwk,
  type KeySet,
  type SigningKey,
  type VerificationKey,
} from '@tokenmesh/token';
import type { KeyEncryption } from './key-encryption.ts';
import type { KeyPurpose, KeyState, Store, StoredKey, StoreTransaction } from './store.ts';

/** The stored keys do not make a usable set: nothing can be signed, and guessing would be worse. */
export class KeyRingError extends Error {
  override readonly name = 'KeyRingError';
}

/** The keys of one purpose. */
export interface PurposeKeys {
  /** The active key. */
  readonly signing: SigningKey;
  /** Keys whose signatures count: published, active, retiring. */
  readonly verification: ReadonlyMap<string, VerificationKey>;
  /** The public halves of `verification`, the active one first. */
  readonly jwks: readonly Jwk[];
}

/** Everything that token-exchange signs with. Service tokens and the revocation feed have keys of their own, and neither set opens the other's. */
export interface KeyRing {
  readonly token: PurposeKeys & KeySet;
  readonly feed: PurposeKeys;
}

export interface KeyRingOptions {
  readonly store: Store;
  readonly encryption: KeyEncryption;
  /** Algorithm of keys that are generated. */
  readonly alg: Algorithm;
  readonly now: () => number;
}

/** States in which a key's signatures count. A published key does not sign yet, but verifiers have to know it before it does. */
const verifying: ReadonlySet<KeyState> = new Set<KeyState>(['published', 'active', 'retiring']);

/**
 * Loads the signing keys, and generates a token key and a feed key in a record that has none.
 *
 * A first key is active at once: no verifier exists that would have to learn it before. The feed's key is ES256 whatever `alg` says.
 *
 * @throws {KeyEncryptionError} When the key-encryption key does not open the stored keys.
 * @throws {KeyRingError} When a purpose has several active keys, or keys but none active.
 */
export async function openKeyRing({ store, encryption, alg, now }: KeyRingOptions): Promise<KeyRing> {
  return await store.transaction(async (transaction) => {
    const stored = await transaction.keys();
    const load = async (purpose: KeyPurpose, algorithm: Algorithm): Promise<PurposeKeys> => {
      const ofPurpose = stored.filter((key) => key.purpose === purpose);
      if (ofPurpose.length > 0) return openPurpose(purpose, ofPurpose, encryption);
      return openPurpose(purpose, [await addFirstKey(transaction, purpose, algorithm, encryption, now())], encryption);
    };
    const token = await load('token', alg);
    const feed = await load('feed', 'ES256');
    return { token: { ...token, find: (kid) => token.verification.get(kid) }, feed };
  });
}

async function addFirstKey(
  transaction: StoreTransaction,
  purpose: KeyPurpose,
  alg: Algorithm,
  encryption: KeyEncryption,
  nowMs: number,
): Promise<StoredKey> {
  // the kid travels with every token: 48 bits tell keys apart, a whole thumbprint would cost 47 bytes a call
  const key = generateSigningKey(alg, randomBytes(6).toString('base64url'));
  const sealed = encryption.seal(exportSigningKey(key), contextOf({ purpose, alg, kid: key.kid }));
  const stored: StoredKey = { kid: key.kid, purpose, alg, state: 'active', sealed, changedAtMs: nowMs };
  await transaction.addKey(stored);
  return stored;
}

function openPurpose(purpose: KeyPurpose, stored: readonly StoredKey[], encryption: KeyEncryption): PurposeKeys {
  // what was just generated is opened as well: a key that could not be read back after a restart must not sign now
  const keys = stored.map((row) => ({
    state: row.state,
    key: importSigningKey(encryption.open(row.sealed, contextOf(row)), { alg: row.alg, kid: row.kid }),
  }));
  const active = keys.filter(({ state }) => state === 'active').map(({ key }) => key);
  const [signing] = active;
  if (!signing || active.length > 1) {
    const kids = active.map(({ kid }) => kid).join(', ') || 'none';
    throw new KeyRingError(`the record must hold exactly one active ${purpose} key; it holds ${active.length} (${kids})`);
  }
  const counting = keys.filter(({ state }) => verifying.has(state)).map(({ key }) => key);
  const ordered = [signing, ...counting.filter((key) => key !== signing)];
  const verification = new Map(ordered.map(({ kid, alg, publicKey }) => [kid, { kid, alg, publicKey }]));
  return { signing, verification, jwks: [...verification.values()].map(exportJwk) };
}

/** Ties a sealed key to its row: one that was moved to another purpose, name or algorithm does not open. */
function contextOf({ purpose, alg, kid }: Pick<StoredKey, 'purpose' | 'alg' | 'kid'>): string {
  return `tokenmesh ${purpose} ${alg} ${kid}`;
}
