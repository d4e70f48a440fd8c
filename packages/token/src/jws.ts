import { type Algorithm, algorithmOf, algorithms, isAlgorithm } from './algorithms.ts';
import { decodeBase64url } from './base64url.ts';
import { type JsonObject, parseJsonObject } from './json.ts';
import { isKid, type SigningKey, type VerificationKey } from './keys.ts';
import { remembering } from './text-memory.ts';
import { TokenError } from './token-error.ts';

/** The `typ` of everything that is signed here. One kind never passes for another. */
export const tokenTypes = {
  serviceToken: 'at+jwt',
  event: 'secevent+jwt',
  checkpoint: 'checkpoint+jwt',
  snapshot: 'snapshot+jwt',
  clientAssertion: 'client-authentication+jwt',
  dpopProof: 'dpop+jwt',
} as const;

/** The size that nothing sent as a credential may exceed, in bytes. */
export const maxTokenBytes = 4096;

/** A JWS that is well formed. Its signature has NOT been verified yet: {@link checkSignature} does that. */
export interface ParsedJws {
  readonly alg: Algorithm;
  readonly kid: string;
  /** In lower case and without `application/`. Empty where an untyped JWS was allowed and there was none. */
  readonly typ: string;
  readonly payload: JsonObject;
  readonly payloadBytes: Buffer;
  readonly signingInput: string;
  readonly signature: Buffer;
}

// One expression for the character set, the number of parts and that none is empty. It cannot backtrack: the parts hold no dot.
const compactGrammar = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const headerMembers: ReadonlySet<string> = new Set(['alg', 'kid', 'typ']);
const typGrammar = /^[!-~]{1,64}$/;

/**
 * Reads a JWS in compact serialization, refusing everything that another reader might understand differently: in this order the size,
 * the character set of the whole text, exactly three parts, canonical base64url, strict JSON (see `json.ts`), a header of `alg`, `kid` and
 * `typ` and nothing else (so neither `crit` nor `b64`, nor any key from the sender), `typ`, a known `alg`, the grammar of `kid`.
 *
 * Does NOT verify the signature.
 *
 * @param compact The token, without a scheme before it.
 * @param options.typ The expected type, one of {@link tokenTypes}. Compared without case, with or without `application/` (RFC 7515
 *   section 4.1.9).
 * @param options.maxBytes Default 4096.
 * @param options.allowUntyped Also accept a JWS without `typ`, or with `JWT`: for what OAuth clients in general make. Default false.
 * @throws {TokenError} `TOKEN_MALFORMED`, `TOKEN_TYPE_REJECTED`
 * @see RFC 7515 section 7.1; RFC 8725 section 3
 */
export function parseJws(
  compact: string,
  options: { readonly typ: string; readonly maxBytes?: number; readonly allowUntyped?: boolean },
): ParsedJws {
  const parts = splitCompact(compact, options.maxBytes);
  const header = readHeader(parts.header);
  const typ = acceptTyp(header.typ, options.typ, options.allowUntyped ?? false);
  if (!isAlgorithm(header.alg)) throw malformed('alg is none of ES256, EdDSA and RS256');
  if (!isKid(header.kid)) throw malformed('kid is missing, or not 1 to 64 of A-Z a-z 0-9 . _ -');
  const payloadBytes = decodePart(parts.payload);
  return {
    alg: header.alg,
    kid: header.kid,
    typ,
    payload: parseJsonObject(payloadBytes),
    payloadBytes,
    signingInput: parts.signingInput,
    signature: decodePart(parts.signature),
  };
}

/** The parts of a compact serialization, as text still. */
interface CompactParts {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
  readonly signingInput: string;
}

/**
 * Splits a compact serialization after its size and the character set of the whole text were checked.
 *
 * @throws {TokenError} `TOKEN_MALFORMED`
 */
export function splitCompact(compact: string, maxBytes: number = maxTokenBytes): CompactParts {
  if (typeof compact !== 'string') throw malformed('not a text');
  if (compact.length > maxBytes) throw malformed('larger than allowed');
  if (!compactGrammar.test(compact)) throw malformed('not three parts of base64url');
  const headerEnd = compact.indexOf('.');
  const payloadEnd = compact.lastIndexOf('.');
  return {
    header: compact.slice(0, headerEnd),
    payload: compact.slice(headerEnd + 1, payloadEnd),
    signature: compact.slice(payloadEnd + 1),
    signingInput: compact.slice(0, payloadEnd),
  };
}

/**
 * Verifies the signature of a JWS with this key, which must be the one that its header names, for the algorithm that its header names.
 *
 * @throws {TokenError} `TOKEN_SIGNATURE_INVALID`, also when key and header disagree.
 */
export function checkSignature(jws: ParsedJws, key: VerificationKey): void {
  if (jws.kid !== key.kid || jws.alg !== key.alg || key.publicKey.type !== 'public' || algorithmOf(key.publicKey) !== key.alg) {
    throw new TokenError('TOKEN_SIGNATURE_INVALID', 'the key does not fit the header');
  }
  if (!algorithms[key.alg].verify(Buffer.from(jws.signingInput, 'latin1'), key.publicKey, jws.signature)) {
    throw new TokenError('TOKEN_SIGNATURE_INVALID', 'the signature does not fit');
  }
}

/**
 * Signs a payload.
 *
 * Every byte travels with every call, so the header holds `alg`, `kid` and `typ` alone, all JSON is written without blanks, and `typ` goes
 * without `application/`. A kid of 8 characters instead of a thumbprint saves about 47 bytes a token.
 *
 * @param payload An object to be written as JSON, or the exact bytes of the payload.
 * @returns JWS compact serialization. Its size is not limited here.
 * @throws {TypeError} The key does not fit its `alg`, or the kid or typ does not follow the grammar.
 */
export function signJws(payload: object | Buffer, options: { readonly typ: string; readonly key: SigningKey }): string {
  const { key, typ } = options;
  if (!isKid(key.kid)) throw new TypeError('kid must be 1 to 64 of A-Z a-z 0-9 . _ -');
  if (!typGrammar.test(typ)) throw new TypeError('typ must be 1 to 64 visible ASCII characters');
  if (key.privateKey.type !== 'private' || algorithmOf(key.privateKey) !== key.alg) throw new TypeError('the key does not fit its alg');
  const header = Buffer.from(JSON.stringify({ alg: key.alg, kid: key.kid, typ })).toString('base64url');
  const payloadBytes = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
  const signingInput = `${header}.${payloadBytes.toString('base64url')}`;
  return `${signingInput}.${algorithms[key.alg].sign(Buffer.from(signingInput, 'latin1'), key.privateKey).toString('base64url')}`;
}

// A mesh has few keys, so few headers, and reading one is a third of reading a token.
const readHeader = remembering(32, (part) => {
  const header = parseJsonObject(decodePart(part));
  for (const name in header) if (!headerMembers.has(name)) throw malformed('a header member other than alg, kid and typ');
  return header;
});

function acceptTyp(actual: unknown, expected: string, allowUntyped: boolean): string {
  if (actual === undefined && allowUntyped) return '';
  // Visible ASCII first: the lower case of the Kelvin sign is a k.
  if (typeof actual !== 'string' || !typGrammar.test(actual))
    throw new TokenError('TOKEN_TYPE_REJECTED', 'typ is missing, or no media type');
  const typ = bareType(actual);
  if (typ !== bareType(expected) && !(allowUntyped && typ === 'jwt')) {
    throw new TokenError('TOKEN_TYPE_REJECTED', 'typ is not the type that is expected here');
  }
  return typ;
}

function bareType(typ: string): string {
  const lower = typ.toLowerCase();
  return lower.startsWith('application/') ? lower.slice('application/'.length) : lower;
}

/** @throws {TokenError} `TOKEN_MALFORMED` for base64url that is not canonical. */
export function decodePart(part: string): Buffer {
  const bytes = decodeBase64url(part);
  if (bytes === undefined) throw malformed('base64url that is not canonical');
  return bytes;
}

function malformed(what: string): TokenError {
  return new TokenError('TOKEN_MALFORMED', `malformed token: ${what}`);
}
