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
  TokenError,
  type VerificationKey,
} from '@tokenmesh/token';
import { auditEntry } from '../audit/audit.ts';
import { type KeyPurpose, type KeyState, keyPurposes, type StoredKey } from '../record/key-records.ts';
import type { Store, StoreTransaction } from '../record/store.ts';
import { type KeyEncryption, KeyEncryptionError } from './key-encryption.ts';
import { algorithmFor, type KeyChange, planWithdrawal } from './key-life.ts';

/** The stored keys do not make a usable set: nothing can be signed, and guessing would be worse. */
export class KeyRingError extends Error {
  override readonly name = 'KeyRingError';
}

/** The keys of one purpose, as they are now. */
export interface PurposeKeys {
  /**
   * The active key. Ask for it each time something is signed: it rotates.
   *
   * @throws {TokenError} KEYS_UNAVAILABLE when the record no longer holds a usable set.
   */
  readonly signing: SigningKey;
  /** Keys whose signatures count: published, active, retiring. They stay what they were when the record becomes unusable. */
  readonly verification: ReadonlyMap<string, VerificationKey>;
  /** The public halves of `verification`: the active one first, then its successor, then the retiring ones, the latest first. */
  readonly jwks: readonly Jwk[];
  /** Kid of the published key, which is going to sign next; `undefined` before it was made. */
  readonly next: string | undefined;
}

/** The keys of service tokens, which are everybody's to know. */
export interface TokenKeys extends PurposeKeys, KeySet {
  /** For how long an answer with `jwks` may be kept without asking again. Verifiers refresh at half of it, and keep using what they have when they cannot. */
  readonly maxAgeSeconds: number;
}

/** Everything that token-exchange signs with. Service tokens and the revocation feed have keys of their own, and neither set opens the other's. */
export interface KeyRing {
  readonly token: TokenKeys;
  readonly feed: PurposeKeys;
  /** Of what was last read of the record, the same for all replicas: grows with every change of any key. */
  readonly version: number;
  /** Calls `listener`, which must not throw, after a change of the keys was read. Returns the way to stop. */
  onChange(listener: () => void): () => void;
  /** Every key of the record in its state, as it was last read: for those who look at the life of keys. */
  states(): readonly Pick<StoredKey, 'purpose' | 'state' | 'changedAtMs'>[];
  /**
   * Reads the record again if its keys changed, by this process or another. Where they make no usable set any more, nothing is signed for that
   * purpose until they do, and its public keys stay as they were.
   *
   * @throws {KeyRingError} With what is wrong with them, each time until it is put right.
   */
  reload(): Promise<void>;
  /** Makes new keys and moves or removes others, inside a transaction that holds `lockKeys`; `reload` once it is durable. */
  apply(transaction: StoreTransaction, changes: readonly KeyChange[]): Promise<void>;
  /**
   * Takes keys out of use at once, as part of the transaction that revokes them; where one was active, its successor is. `reload` once it is durable.
   *
   * @returns The purposes that lost a key.
   */
  withdraw(transaction: StoreTransaction, kids: readonly string[]): Promise<readonly KeyPurpose[]>;
  /**
   * The feed's active key as this transaction sees it, which may be newer than `feed.signing`: an event that a withdrawn key signed would
   * be one that no verifier can ever take.
   *
   * @throws {TokenError} KEYS_UNAVAILABLE as `signing`.
   */
  feedKey(transaction: StoreTransaction): Promise<SigningKey>;
}

export interface KeyRingOptions {
  readonly store: Store;
  readonly encryption: KeyEncryption;
  /** Algorithm of token keys that are generated. */
  readonly alg: Algorithm;
  /** How long an activation waits for verifiers that do not know the key; default 20 min. They have time to ask eight times. */
  readonly activationTimeoutMs?: number;
  readonly now: () => number;
}

/** One purpose as it was last read. */
interface OpenedPurpose {
  readonly signing: SigningKey;
  readonly verification: ReadonlyMap<string, VerificationKey>;
  readonly jwks: readonly Jwk[];
  readonly next: string | undefined;
}

/** States in which a key's signatures count. A published key does not sign yet, but verifiers have to know it before it does. */
const verifying: readonly KeyState[] = ['active', 'published', 'retiring'];
const maxJwksAgeSeconds = 300;

/**
 * Loads the signing keys, and generates a token key and a feed key in a record that has none.
 *
 * A first key is active at once: no verifier exists that would have to learn it before. The feed's key is ES256 whatever `alg` says. Keys
 * change only by what is called here; the rotation (key-rotation.ts) calls it.
 *
 * @throws {KeyEncryptionError} When the key-encryption key opens none of the stored keys.
 * @throws {KeyRingError} When a purpose has several active keys, or keys but none active, or a key was changed in the record.
 */
export async function openKeyRing({ store, encryption, alg, activationTimeoutMs = 1_200_000, now }: KeyRingOptions): Promise<KeyRing> {
  const maxAgeSeconds = Math.max(1, Math.min(maxJwksAgeSeconds, Math.floor(activationTimeoutMs / 4000)));
  let version = -1;
  const listeners = new Set<() => void>();
  let opened: ReadonlyMap<KeyPurpose, OpenedPurpose> = new Map();
  let states: ReturnType<KeyRing['states']> = [];
  const problems = new Map<KeyPurpose, KeyRingError | KeyEncryptionError>();
  /** Private keys that were opened, by what they were sealed as: opening one costs a signature. */
  let keys: ReadonlyMap<string, SigningKey> = new Map();

  function openRow(row: StoredKey): SigningKey {
    // what was just generated is opened as well: a key that could not be read back after a restart must not sign now
    return keys.get(row.sealed + contextOf(row)) ?? importSealed(row, encryption);
  }

  function openAll(rows: readonly StoredKey[]): void {
    states = rows.map(({ purpose, state, changedAtMs }) => ({ purpose, state, changedAtMs }));
    const failures = new Map<string, KeyRingError | KeyEncryptionError>();
    const readable = new Map<string, SigningKey>();
    for (const row of rows) {
      try {
        readable.set(row.kid, openRow(row));
      } catch (error) {
        failures.set(row.kid, error as KeyRingError | KeyEncryptionError); // importSealed throws nothing else
      }
    }
    problems.clear();
    const next = new Map(opened);
    for (const purpose of keyPurposes) {
      const ofPurpose = rows.filter((row) => row.purpose === purpose);
      const failed = ofPurpose.find(({ kid }) => failures.has(kid));
      try {
        if (failed) throw explain(failed, failures, rows.length);
        next.set(purpose, openPurpose(purpose, ofPurpose, readable));
      } catch (error) {
        problems.set(purpose, error as KeyRingError | KeyEncryptionError); // explain and openPurpose make nothing else
      }
    }
    opened = next;
    keys = new Map(rows.flatMap((row) => (readable.has(row.kid) ? [[row.sealed + contextOf(row), openRow(row)] as const] : [])));
  }

  async function read(): Promise<void> {
    const seen = await store.keysVersion(); // before the keys: what changes in between is read again
    if (seen !== version || problems.size > 0) openAll(await store.transaction((transaction) => transaction.keys()));
    const hasChanged = seen !== version;
    version = seen;
    if (hasChanged) for (const listener of listeners) listener();
    const [problem] = problems.values();
    if (problem) throw problem;
  }

  let reading: Promise<void> = Promise.resolve();
  function reload(): Promise<void> {
    // one after the other: what was read earlier must not replace what was read later
    reading = reading.catch(() => undefined).then(read);
    return reading;
  }

  async function add(transaction: StoreTransaction, purpose: KeyPurpose, keyAlg: Algorithm, state: KeyState): Promise<SigningKey> {
    // the kid travels with every token: 48 bits tell keys apart, a whole thumbprint would cost 47 bytes a call
    const key = generateSigningKey(keyAlg, randomBytes(6).toString('base64url'));
    const sealed = encryption.seal(exportSigningKey(key), contextOf({ purpose, alg: keyAlg, kid: key.kid }));
    const row: StoredKey = { kid: key.kid, purpose, alg: keyAlg, state, sealed, changedAtMs: now(), rotationRequestedAtMs: 0 };
    await transaction.addKey(row);
    auditKey(transaction, state, { kid: key.kid, purpose });
    return importSealed(row, encryption);
  }

  function auditKey(transaction: StoreTransaction, became: KeyState | 'removed', key: Pick<StoredKey, 'kid' | 'purpose'>): void {
    const what = { kid: key.kid, purpose: key.purpose };
    transaction.audit(auditEntry(`key.${became}`, now, { what }));
  }

  async function apply(transaction: StoreTransaction, changes: readonly KeyChange[]): Promise<void> {
    for (const change of changes) {
      if (change.type === 'add') await add(transaction, change.purpose, change.alg, change.state);
      else if (change.type === 'remove') await transaction.removeKey(change.kid);
      else if (!(await transaction.moveKey(change.kid, change.from, change.to, now()))) {
        throw new Error(`key ${change.kid} is no longer ${change.from}`); // only without the lock: nothing of the transaction stays
      }
      if (change.type !== 'add') auditKey(transaction, change.type === 'remove' ? 'removed' : change.to, change);
    }
  }

  function of(purpose: KeyPurpose): TokenKeys {
    const last = () => opened.get(purpose);
    return {
      maxAgeSeconds,
      find: (kid) => last()?.verification.get(kid),
      get signing() {
        const problem = problems.get(purpose);
        const key = last()?.signing;
        if (problem || !key) throw new TokenError('KEYS_UNAVAILABLE', `nothing is signed: ${problem?.message ?? 'there is no key'}`);
        return key;
      },
      get verification() {
        return last()?.verification ?? new Map();
      },
      get jwks() {
        return last()?.jwks ?? [];
      },
      get next() {
        return last()?.next;
      },
    };
  }

  await store.transaction(async (transaction) => {
    const missing = async () => {
      const stored = await transaction.keys();
      return keyPurposes.filter((purpose) => !stored.some((key) => key.purpose === purpose));
    };
    if ((await missing()).length === 0) return;
    await transaction.lockKeys();
    // asked again: another replica may have been faster
    for (const purpose of await missing()) await add(transaction, purpose, algorithmFor(purpose, alg), 'active');
  });
  await reload();

  return {
    token: of('token'),
    feed: of('feed'),
    get version() {
      return version;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    states: () => states,
    reload,
    apply,
    async withdraw(transaction, kids) {
      await transaction.lockKeys();
      const changes = planWithdrawal(await transaction.keys(), kids, alg);
      await apply(transaction, changes);
      return changes.filter((change) => change.type === 'move' && change.to === 'withdrawn').map(({ purpose }) => purpose);
    },
    async feedKey(transaction) {
      const rows = (await transaction.keys()).filter(({ purpose }) => purpose === 'feed');
      const active = rows.filter(({ state }) => state === 'active');
      const [only] = active;
      if (!only || active.length > 1) throw new TokenError('KEYS_UNAVAILABLE', `the record holds ${active.length} active feed keys`);
      return openRow(only);
    },
  };
}

/** What to say of a key that does not open: of all keys, that the key-encryption key is wrong; of some, that those were changed. */
function explain(
  { kid, purpose, state }: StoredKey,
  failures: ReadonlyMap<string, KeyRingError | KeyEncryptionError>,
  count: number,
): KeyRingError | KeyEncryptionError {
  const error = failures.get(kid);
  if (failures.size === count && error instanceof KeyEncryptionError) return error;
  const others = failures.size < count ? 'others open with this key-encryption key, so it' : 'it';
  return new KeyRingError(
    `the ${state} ${purpose} key ${kid} cannot be read: ${others} was truncated or changed in the record; restore it from a backup, or take its row out`,
  );
}

/** @throws {KeyRingError | KeyEncryptionError} */
function importSealed(row: StoredKey, encryption: KeyEncryption): SigningKey {
  const pem = encryption.open(row.sealed, contextOf(row));
  try {
    return importSigningKey(pem, { alg: row.alg, kid: row.kid });
  } catch (error) {
    // importSigningKey throws TypeErrors without key bytes
    throw new KeyRingError(`the ${row.state} ${row.purpose} key ${row.kid} cannot be used: ${(error as TypeError).message}`);
  }
}

/** @throws {KeyRingError} */
function openPurpose(purpose: KeyPurpose, rows: readonly StoredKey[], readable: ReadonlyMap<string, SigningKey>): OpenedPurpose {
  const latestFirst = [...rows].sort((a, b) => b.changedAtMs - a.changedAtMs);
  const inState = (state: KeyState) => latestFirst.filter((row) => row.state === state).flatMap(({ kid }) => readable.get(kid) ?? []);
  const active = inState('active');
  const [signing] = active;
  if (!signing || active.length > 1) {
    const kids = active.map(({ kid }) => kid).join(', ') || 'none';
    throw new KeyRingError(`the record must hold exactly one active ${purpose} key; it holds ${active.length} (${kids})`);
  }
  const verification = new Map(verifying.flatMap(inState).map(({ kid, alg, publicKey }) => [kid, { kid, alg, publicKey }]));
  return { signing, verification, jwks: [...verification.values()].map(exportJwk), next: inState('published')[0]?.kid };
}

/** Ties a sealed key to its row: one that was moved to another purpose, name or algorithm does not open. */
function contextOf({ purpose, alg, kid }: Pick<StoredKey, 'purpose' | 'alg' | 'kid'>): string {
  return `tokenmesh ${purpose} ${alg} ${kid}`;
}
