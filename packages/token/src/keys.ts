import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { type Algorithm, algorithmOf, algorithms, isAlgorithm } from './algorithms.ts';
import { decodeBase64url } from './base64url.ts';

/** A key pair that signs: one key, one algorithm. Which purpose it serves (tokens, feed, client authentication) is its owner's to keep. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: Algorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** A public key that verifies, bound to one algorithm. */
export interface VerificationKey {
  readonly kid: string;
  readonly alg: Algorithm;
  readonly publicKey: KeyObject;
}

/**
 * A public key in the form of RFC 7517. A member that is the empty string counts as absent, because that is what protobuf delivers.
 */
export interface Jwk {
  readonly kid: string;
  readonly kty: string;
  readonly alg: string;
  readonly use?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
}

/** Where a verifier finds keys. */
export interface KeySet {
  /**
   * The key of this id; undefined when there is none, which is final only as far as this key set knows. Answers at once when it can: a
   * verification stays synchronous then. Rejects with a TokenError of reason `KEYS_UNAVAILABLE` when it cannot tell.
   */
  find(kid: string): VerificationKey | undefined | Promise<VerificationKey | undefined>;
}

const kidGrammar = /^[A-Za-z0-9._-]{1,64}$/;

/** Whether a value may name a key: 1 to 64 of `A-Z a-z 0-9 . _ -`, so that it is safe in paths, queries and logs. */
export function isKid(value: unknown): value is string {
  return typeof value === 'string' && kidGrammar.test(value);
}

/**
 * Makes a new key pair.
 *
 * @param alg Default `ES256`. `RS256` makes a key of 2048 bits.
 * @param kid Default: the thumbprint of RFC 7638 (43 characters). A short kid makes every token shorter.
 * @throws {TypeError} The kid does not follow the grammar, or the algorithm is unknown.
 */
export function generateSigningKey(alg: Algorithm = 'ES256', kid?: string): SigningKey {
  if (!isAlgorithm(alg)) throw new TypeError('alg must be ES256, EdDSA or RS256');
  const { privateKey, publicKey } = algorithms[alg].generate();
  return createSigningKey(alg, kid, privateKey, publicKey);
}

const pkcs8Pem = /^\s*-----BEGIN PRIVATE KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END PRIVATE KEY-----\s*$/;

/**
 * Reads a private key and tries it: a signature is made and verified before the key is returned.
 *
 * @param pem One unencrypted PKCS#8 block (`BEGIN PRIVATE KEY`) and nothing else. The algorithm is told by the key inside, never by text.
 * @param options.alg What the key is expected to be; default: what it is.
 * @param options.kid Default: the thumbprint of RFC 7638.
 * @throws {TypeError} Whose message and cause hold nothing of the input.
 */
export function importSigningKey(
  pem: string | Buffer,
  options: { readonly alg?: Algorithm | undefined; readonly kid?: string | undefined } = {},
): SigningKey {
  const base64 = pkcs8Pem.exec(pem.toString())?.[1];
  if (base64 === undefined) throw new TypeError('a signing key must be one PKCS#8 block in PEM');
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'pkcs8' });
  } catch {
    throw new TypeError('a signing key cannot be read as PKCS#8');
  }
  const alg = algorithmOf(privateKey);
  if (options.alg !== undefined && options.alg !== alg) throw new TypeError(`a signing key is for ${alg}, not for the algorithm asked for`);
  const key = createSigningKey(alg, options.kid, privateKey, createPublicKey(privateKey));
  const sample = Buffer.from(key.kid);
  if (!algorithms[alg].verify(sample, key.publicKey, algorithms[alg].sign(sample, privateKey))) {
    throw new TypeError('a signing key does not verify its own signature');
  }
  return key;
}

/** The private key as one PKCS#8 block in PEM, unencrypted: what {@link importSigningKey} reads. The kid is not part of it. */
export function exportSigningKey(key: SigningKey): string {
  // True: with format `pem` the answer is text.
  return key.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
}

/** The public half as a JWK with `use: sig`; of a signing key as well, for nothing else is looked at. */
export function exportJwk(key: VerificationKey): Jwk {
  return Object.freeze({ kid: key.kid, alg: key.alg, use: 'sig', ...publicMembers(key.alg, key.publicKey) });
}

/**
 * Reads public keys, all or none.
 *
 * Each must have a `kid` of the grammar that no other has, an `alg` of ours that fits its type (without it a token's header would choose),
 * canonical base64url of the right length, no `use` other than `sig`, no `key_ops` other than `verify`, and no private or symmetric
 * member. Other members are ignored (RFC 7517 section 4).
 *
 * @returns The keys by kid.
 * @throws {TypeError} Names the position of the offending key, not its content.
 */
export function importJwks(keys: readonly Jwk[]): ReadonlyMap<string, VerificationKey> {
  if (!Array.isArray(keys)) throw new TypeError('keys must be a list of JWKs');
  const imported = new Map<string, VerificationKey>();
  for (const [position, jwk] of keys.entries()) {
    try {
      const key = importJwk(jwk);
      if (imported.has(key.kid)) throw new TypeError('its kid is already taken');
      imported.set(key.kid, key);
    } catch (error) {
      // True: importJwk throws nothing but TypeError, with a message of ours.
      throw new TypeError(`key ${position} is refused: ${(error as TypeError).message}`);
    }
  }
  return imported;
}

/**
 * A key set that never changes.
 *
 * @throws {TypeError} As {@link importJwks}, and when the list is empty: such a verifier could accept nothing.
 */
export function createLocalKeySet(keys: readonly Jwk[]): KeySet {
  const imported = importJwks(keys);
  if (imported.size === 0) throw new TypeError('a local key set needs at least one key');
  return { find: (kid) => imported.get(kid) };
}

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

function importJwk(jwk: Jwk): VerificationKey {
  if (typeof jwk !== 'object' || jwk === null) throw new TypeError('it is not an object');
  // True: an object; its members are checked one by one below.
  const members = jwk as unknown as { readonly [name: string]: unknown };
  if (!isKid(jwk.kid)) throw new TypeError('kid must be 1 to 64 of A-Z a-z 0-9 . _ -');
  if (!isAlgorithm(jwk.alg)) throw new TypeError('alg must be ES256, EdDSA or RS256');
  if (jwk.use !== undefined && jwk.use !== '' && jwk.use !== 'sig') throw new TypeError('use must be sig');
  if (members.key_ops !== undefined && String(members.key_ops) !== 'verify') throw new TypeError('key_ops must be verify');
  if (privateMembers.some((name) => Object.hasOwn(jwk, name))) throw new TypeError('it has private members');
  const publicKey = readPublicKey(Object.fromEntries(algorithms[jwk.alg].thumbprintMembers.map((name) => [name, jwk[name]])));
  if (algorithmOf(publicKey) !== jwk.alg) throw new TypeError('alg does not fit the key');
  return Object.freeze({ kid: jwk.kid, alg: jwk.alg, publicKey });
}

function readPublicKey(members: { readonly [name: string]: string | undefined }): KeyObject {
  for (const name of ['x', 'y', 'n', 'e']) {
    const value = members[name];
    if (!Object.hasOwn(members, name)) continue;
    const bytes = typeof value === 'string' ? decodeBase64url(value) : undefined;
    if (bytes === undefined) throw new TypeError(`${name} must be canonical base64url`);
    if ((name === 'x' || name === 'y') && bytes.length !== 32) throw new TypeError(`${name} must have 32 bytes`);
    if ((name === 'n' || name === 'e') && bytes[0] === 0) throw new TypeError(`${name} must not begin with zero bytes`);
  }
  try {
    return createPublicKey({ key: members, format: 'jwk' });
  } catch {
    throw new TypeError('it is not a valid public key');
  }
}

function createSigningKey(alg: Algorithm, kid: string | undefined, privateKey: KeyObject, publicKey: KeyObject): SigningKey {
  if (kid !== undefined && !isKid(kid)) throw new TypeError('kid must be 1 to 64 of A-Z a-z 0-9 . _ -');
  return Object.freeze({ kid: kid ?? thumbprint({ alg, publicKey }), alg, privateKey, publicKey });
}

/** The thumbprint of a public key, base64url, 43 characters: RFC 7638 section 3, with SHA-256. */
export function thumbprint(key: Pick<VerificationKey, 'alg' | 'publicKey'>): string {
  const members = JSON.stringify(publicMembers(key.alg, key.publicKey));
  return createHash('sha256').update(members).digest('base64url');
}

/** The members of the thumbprint, in its order, so that writing them without blanks gives its input. */
function publicMembers(alg: Algorithm, publicKey: KeyObject): { readonly kty: string } {
  const jwk = publicKey.export({ format: 'jwk' });
  const members = algorithms[alg].thumbprintMembers.map((name) => [name, jwk[name]]);
  // True: `kty` is among the members of every algorithm.
  return Object.fromEntries(members) as { kty: string };
}
