import { createHash } from 'node:crypto';
import { type Algorithm, algorithms, isAlgorithm } from './algorithms.ts';
import { type JsonObject, parseJsonObject } from './json.ts';
import { decodePart, splitCompact, tokenTypes } from './jws.ts';
import { exportJwk, importJwks, type Jwk, type SigningKey, thumbprint, type VerificationKey } from './keys.ts';
import { TokenError } from './token-error.ts';

/**
 * Signs a DPoP proof: the evidence that the sender of one request holds a key. Single use; a retry needs a new one.
 *
 * @param options.htm Method of the request; `POST` for every gRPC call.
 * @param options.htu Its URI; what follows `?` or `#` is left out.
 * @param options.accessToken The token that travels along; becomes `ath`. Absent when a token is asked for.
 * @param options.nonce What the server asked to be repeated. Absent: none.
 * @param options.now Milliseconds since epoch.
 * @param options.newId Makes the `jti`.
 * @throws {TypeError} The URI is not an http or https one.
 * @see RFC 9449 section 4.2
 */
export function signDpopProof(options: {
  readonly key: SigningKey;
  readonly htm: string;
  readonly htu: string;
  readonly accessToken?: string | undefined;
  readonly nonce?: string | undefined;
  readonly now: () => number;
  readonly newId: () => string;
}): string {
  const { key, htm, accessToken, nonce, now, newId } = options;
  const htu = normalUri(options.htu);
  if (htu === undefined) throw new TypeError('htu must be an http or https URI');
  // Only what the thumbprint is made of: a key of a proof has neither name nor use.
  const { kid: _kid, alg, use: _use, ...jwk } = exportJwk(key);
  const claims = {
    jti: newId(),
    htm,
    htu,
    iat: Math.floor(now() / 1000),
    ...(accessToken !== undefined && { ath: accessTokenHash(accessToken) }),
    ...(nonce !== undefined && { nonce }),
  };
  const signingInput = `${encode({ typ: tokenTypes.dpopProof, alg, jwk })}.${encode(claims)}`;
  return `${signingInput}.${algorithms[key.alg].sign(Buffer.from(signingInput, 'latin1'), key.privateKey).toString('base64url')}`;
}

/** A proof whose sender held the key. */
export interface VerifiedDpopProof {
  /** Thumbprint of the key (RFC 7638, SHA-256, base64url): what `cnf.jkt` names. */
  readonly jkt: string;
  /** To be used once: the caller records it, for this `jkt`, until `exp` plus its clock tolerance has passed. */
  readonly jti: string;
  /** The moment from which the proof is refused as too old; seconds since epoch. */
  readonly exp: number;
  readonly alg: Algorithm;
}

/**
 * Verifies a DPoP proof against the request that it came with: one compact JWS of `typ` dpop+jwt whose header holds `typ`, `alg` and `jwk` and
 * nothing else; the key public, of the kind that `alg` needs; the signature by that key; `htm` and `htu` those of the request; `iat` within
 * the window; `ath` when an access token came along, and no `ath` when none did; `nonce` when one is expected.
 *
 * Does NOT check that the `jti` is new, nor that an access token is bound to the `jkt`: the caller does both.
 *
 * @param compact Exactly one proof; that there was only one field of it is the caller's to check (section 4.3, item 1).
 * @param options.htu URI of the request from configuration, never from the request's own headers. Compared after the normalization of RFC 3986
 *   section 6.2, without query and fragment.
 * @param options.accessToken What came with the proof; absent when a token is asked for.
 * @param options.nonce What was issued to this client, or all that it may have been; absent: none is expected, and one that is there is ignored.
 * @param options.maxAgeSeconds How old `iat` may be; integer 1…300, default 60.
 * @param options.clockToleranceSeconds How far `iat` may be in the future, and what is added to the age; 0…5, default 5.
 * @throws {TokenError} `PROOF_INVALID`, with what was wrong as its cause or text; `PROOF_NONCE_REQUIRED` when all else is right.
 * @throws {TypeError} An option is out of range.
 * @see RFC 9449 section 4.3
 */
export function verifyDpopProof(
  compact: string,
  options: {
    readonly htm: string;
    readonly htu: string;
    readonly accessToken?: string | undefined;
    readonly nonce?: string | readonly string[] | undefined;
    readonly now: () => number;
    readonly maxAgeSeconds?: number;
    readonly clockToleranceSeconds?: number;
  },
): VerifiedDpopProof {
  const { htm, accessToken, nonce, now, maxAgeSeconds = 60, clockToleranceSeconds = 5 } = options;
  const htu = normalUri(options.htu);
  if (htu === undefined) throw new TypeError('htu must be an http or https URI');
  if (!(Number.isInteger(maxAgeSeconds) && maxAgeSeconds >= 1 && maxAgeSeconds <= 300)) {
    throw new TypeError('maxAgeSeconds must be an integer from 1 to 300');
  }
  if (!(clockToleranceSeconds >= 0 && clockToleranceSeconds <= 5)) throw new TypeError('clockToleranceSeconds must be 0 to 5');
  const { key, payload } = readProof(compact);
  const { jti, iat } = payload;
  if (typeof jti !== 'string' || !jtiGrammar.test(jti)) throw invalid('jti must be 1 to 128 visible ASCII characters');
  if (payload.htm !== htm) throw invalid('htm is another method');
  if (typeof payload.htu !== 'string' || normalUri(payload.htu) !== htu) throw invalid('htu is another URI');
  if (typeof iat !== 'number') throw invalid('iat must be an integer');
  const nowSeconds = now() / 1000;
  if (!(iat <= nowSeconds + clockToleranceSeconds)) throw invalid('iat is in the future');
  if (!(nowSeconds < iat + maxAgeSeconds + clockToleranceSeconds)) throw invalid('iat is too old');
  if (payload.ath !== (accessToken === undefined ? undefined : accessTokenHash(accessToken))) {
    throw invalid('ath is not the hash of the token that came along');
  }
  if (nonce !== undefined && ![nonce].flat().some((issued) => issued === payload.nonce)) {
    throw new TokenError('PROOF_NONCE_REQUIRED', 'the proof lacks the nonce given');
  }
  return { jkt: thumbprint(key), jti, exp: iat + maxAgeSeconds + clockToleranceSeconds, alg: key.alg };
}

/** `ath`: SHA-256 of the access token's ASCII text, base64url (RFC 9449 section 4.2). */
function accessTokenHash(accessToken: string): string {
  return createHash('sha256').update(accessToken).digest('base64url');
}

const jtiGrammar = /^[!-~]{1,128}$/;
const headerMembers: ReadonlySet<string> = new Set(['typ', 'alg', 'jwk']);
// Proofs are small; an RSA key of 8192 bits still fits.
const maxProofBytes = 4096;

/** The proof with its signature verified by the key inside, which says nothing of who that is. */
function readProof(compact: string): { readonly key: VerificationKey; readonly payload: JsonObject } {
  try {
    const parts = splitCompact(compact, maxProofBytes);
    const header = parseJsonObject(decodePart(parts.header));
    for (const name in header) if (!headerMembers.has(name)) throw invalid('a header member other than typ, alg and jwk');
    const { typ, alg } = header;
    if (typeof typ !== 'string' || !/^(application\/)?dpop\+jwt$/i.test(typ)) throw invalid('typ is not dpop+jwt');
    if (!isAlgorithm(alg)) throw invalid('alg is none of ES256, EdDSA and RS256');
    const key = readKey(header.jwk, alg);
    const signature = decodePart(parts.signature);
    if (!algorithms[alg].verify(Buffer.from(parts.signingInput, 'latin1'), key.publicKey, signature)) {
      throw invalid('the signature is not by the key inside');
    }
    return { key, payload: parseJsonObject(decodePart(parts.payload)) };
  } catch (cause) {
    if (cause instanceof TokenError && cause.reason !== 'PROOF_INVALID') throw invalid('the proof is malformed', cause);
    throw cause;
  }
}

function readKey(jwk: JsonObject[string] | undefined, alg: Algorithm): VerificationKey {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) throw invalid('jwk is missing');
  const given = jwk as JsonObject; // true: an object that is no array
  if (given.alg !== undefined && given.alg !== alg) throw invalid('jwk is for another algorithm');
  try {
    // True: importJwks checks every member that it uses, and refuses private and symmetric keys.
    const [key] = importJwks([{ ...given, kid: 'proof', alg } as unknown as Jwk]).values();
    if (key) return key;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw invalid('jwk is not a public key for alg');
}

/** A URI without query and fragment, as RFC 3986 section 6.2 and its scheme normalize it; undefined for what is none. */
function normalUri(text: string): string | undefined {
  // What WHATWG's parser would mend (blanks, controls, backslashes) is no URI.
  if (!/^https?:\/\/[!-[\]-~]+$/i.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return undefined;
  return `${url.origin}${url.pathname}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function invalid(what: string, cause?: TokenError): TokenError {
  return new TokenError('PROOF_INVALID', `the DPoP proof is refused: ${what}`, cause && { cause });
}
