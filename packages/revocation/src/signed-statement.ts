import { checkSignature, type JsonObject, type ParsedJws, parseJws, TokenError, type VerificationKey } from '@tokenmesh/token';

/** Whose word counts: the issuer of the log, and the mesh (its trust domain) that the log belongs to. */
export interface ExpectedOrigin {
  readonly issuer: string;
  readonly mesh: string;
}

/**
 * Opens a signed statement of the log: shape and `typ`, key, signature, `iss`, `aud`, in this order.
 * @throws {TokenError} `TOKEN_MALFORMED`, `TOKEN_TYPE_REJECTED`, `SIGNING_KEY_UNKNOWN`, `TOKEN_SIGNATURE_INVALID`, `ISSUER_UNTRUSTED`,
 *   `AUDIENCE_MISMATCH`.
 */
export function openStatement(
  compact: string,
  keys: ReadonlyMap<string, VerificationKey>,
  { typ, maxBytes, issuer, mesh }: ExpectedOrigin & { readonly typ: string; readonly maxBytes: number },
): ParsedJws {
  const jws = parseJws(compact, { typ, maxBytes });
  const key = keys.get(jws.kid);
  if (key === undefined) throw new TokenError('SIGNING_KEY_UNKNOWN', `No feed key ${jws.kid} is known for this ${typ}`);
  checkSignature(jws, key);
  if (jws.payload.iss !== issuer) throw new TokenError('ISSUER_UNTRUSTED', `The ${typ} is of another issuer`);
  if (jws.payload.aud !== mesh) throw new TokenError('AUDIENCE_MISMATCH', `The ${typ} is for another mesh`);
  return jws;
}

const epochGrammar = /^[A-Za-z0-9._-]{1,64}$/;
const hashGrammar = /^[A-Za-z0-9_-]{43}$/;

/** Name of an epoch: part of message ids and subjects, hence a narrow grammar. */
export function epochMember(payload: JsonObject): string {
  return textMember(payload, 'epoch', epochGrammar);
}

/** A SHA-256 in base64url without padding. */
export function hashMember(payload: JsonObject, name: string): string {
  return textMember(payload, name, hashGrammar);
}

export function textMember(payload: JsonObject, name: string, grammar: RegExp): string {
  const value = payload[name];
  if (typeof value !== 'string' || !grammar.test(value)) throw new TokenError('TOKEN_MALFORMED', `"${name}" is not what it should be`);
  return value;
}

/** A whole number from 0 to 2^53 - 1. */
export function integerMember(payload: JsonObject, name: string): number {
  const value = payload[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new TokenError('TOKEN_MALFORMED', `"${name}" is not a whole number`);
  }
  return value;
}
