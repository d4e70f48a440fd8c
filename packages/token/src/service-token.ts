import { parseServiceTokenClaims, type ServiceTokenClaims } from './claims.ts';
import type { JsonObject } from './json.ts';
import { checkSignature, maxTokenBytes, type ParsedJws, parseJws, signJws, tokenTypes } from './jws.ts';
import type { KeySet, SigningKey, VerificationKey } from './keys.ts';
import { parseScope } from './scope.ts';
import { remembering } from './text-memory.ts';
import { TokenError } from './token-error.ts';

/** A service token whose signature, issuer, audience and times were right at the time of verification. Frozen all through. */
export interface VerifiedToken {
  readonly claims: ServiceTokenClaims;
  /** The key that signed it. */
  readonly kid: string;
  /** `claims.scope`, parsed. */
  readonly scope: readonly string[];
}

/** Whose tokens are accepted, for whom, and how exact clocks have to be. */
export interface VerifyServiceTokenOptions {
  /** The issuer, or issuers, whose tokens are accepted. The keys must be theirs and nobody else's. */
  readonly issuer: string | readonly string[];
  /** The verifier's own identity, which `aud` must be. */
  readonly audience: string;
  readonly keys: KeySet;
  /** Milliseconds since epoch. */
  readonly now: () => number;
  /** Allowed difference of clocks, 0…5; default 5. */
  readonly clockToleranceSeconds?: number;
  /** The longest life (`exp - iat`) that is accepted, whatever the issuer allows; default 900. */
  readonly maxLifeSeconds?: number;
}

/**
 * Signs a service token. The claims are checked first, as {@link parseServiceTokenClaims} does, and written in a fixed order without blanks; a
 * `txn` that is the `jti` is left out, for that is how its absence is read.
 *
 * Does NOT decide anything: whether the subject may have these claims is the issuer's to know.
 *
 * @returns JWS compact serialization, at most 4096 bytes. With `ES256`: 88 bytes, and four thirds of the JSON of header and claims.
 * @throws {TokenError} `TOKEN_MALFORMED`: a claim breaks its rule, or the token would be larger than a verifier accepts.
 * @see RFC 9068 section 2
 */
export function signServiceToken(claims: ServiceTokenClaims, key: SigningKey): string {
  // True: claims hold nothing but JSON values; the parser judges each.
  const checked = parseServiceTokenClaims(claims as unknown as JsonObject);
  const payload = checked.txn === checked.jti ? { ...checked, txn: undefined } : checked;
  const compact = signJws(payload, { typ: tokenTypes.serviceToken, key });
  if (compact.length > maxTokenBytes) throw new TokenError('TOKEN_MALFORMED', `a token must not be larger than ${maxTokenBytes} bytes`);
  return compact;
}

/**
 * Verifies a service token and returns its claims.
 *
 * Checks, in this order: the shape, `typ` and `alg` (see {@link parseJws}), that `kid` is known, the signature under the algorithm of that
 * key, that every required claim is there and well formed, `iss`, `aud`, `exp`, `nbf`, `iat`, and the life. Does NOT check revocation, the
 * binding of `cnf` and `net`, or `scope`: the verifier of a call does, on every call.
 *
 * @param compact Without `Bearer ` before it; at most 4096 bytes.
 * @returns The verified token at once, or a promise of it when, and only when, the key set answered with a promise.
 * @throws {TokenError} At once, or as the promise's rejection: `TOKEN_MALFORMED` (also: a life above `maxLifeSeconds`), `TOKEN_TYPE_REJECTED`,
 *   `SIGNING_KEY_UNKNOWN`, `TOKEN_SIGNATURE_INVALID`, `ISSUER_UNTRUSTED`, `AUDIENCE_MISMATCH`, `TOKEN_EXPIRED`, `TOKEN_NOT_YET_VALID`, and
 *   what the key set rejects with (`KEYS_UNAVAILABLE`).
 * @throws {TypeError} An option is missing or out of range.
 * @see RFC 9068 section 4; RFC 8725 section 3
 */
export function verifyServiceToken(compact: string, options: VerifyServiceTokenOptions): VerifiedToken | Promise<VerifiedToken> {
  checkAudience(options.audience);
  return verify(compact, options, options.audience);
}

/**
 * As {@link verifyServiceToken}, for a token of ANY audience: for the issuer itself, which introspects and revokes its own tokens. A service
 * that used this would accept tokens meant for others.
 */
export function verifyForAnyAudience(
  compact: string,
  options: Omit<VerifyServiceTokenOptions, 'audience'>,
): VerifiedToken | Promise<VerifiedToken> {
  return verify(compact, options, undefined);
}

/**
 * Accepts the claims of a token that has no signature: one that the issuer itself described over an authenticated channel (RFC 7662). They are
 * judged as those of a signed token are.
 *
 * @returns The verified token; its `kid` is empty, for no key vouches for it.
 * @throws {TokenError} `TOKEN_MALFORMED`, `ISSUER_UNTRUSTED`, `AUDIENCE_MISMATCH`, `TOKEN_EXPIRED`, `TOKEN_NOT_YET_VALID`
 * @throws {TypeError} An option is missing or out of range.
 */
export function acceptIntrospectedClaims(payload: JsonObject, options: Omit<VerifyServiceTokenOptions, 'keys'>): VerifiedToken {
  checkAudience(options.audience);
  checkOptions(options);
  const claims = parseServiceTokenClaims(payload);
  checkExpectations(claims, options, options.audience);
  return Object.freeze({ claims, kid: '', scope: sharedScope(claims.scope) });
}

/**
 * Checks a token's times against a clock, as every call does, also for a token that was verified before. Valid from
 * `iat - tolerance` and `nbf - tolerance` (inclusive) to `exp + tolerance` (exclusive).
 *
 * @param nowMs Milliseconds since epoch.
 * @throws {TokenError} `TOKEN_EXPIRED`, `TOKEN_NOT_YET_VALID`
 * @see RFC 7519 sections 4.1.4 to 4.1.6
 */
export function checkTimes(claims: ServiceTokenClaims, nowMs: number, clockToleranceSeconds: number): void {
  const now = nowMs / 1000;
  // Written so that a clock that answers NaN refuses.
  if (!(now < claims.exp + clockToleranceSeconds)) throw new TokenError('TOKEN_EXPIRED', 'the token has expired');
  if (!(now >= Math.max(claims.iat, claims.nbf ?? 0) - clockToleranceSeconds)) {
    throw new TokenError('TOKEN_NOT_YET_VALID', 'the token is not valid yet');
  }
}

const sharedScope = remembering(1024, parseScope);

type Expectations = Omit<VerifyServiceTokenOptions, 'audience'>;

function verify(compact: string, options: Expectations, audience: string | undefined): VerifiedToken | Promise<VerifiedToken> {
  checkOptions(options);
  const jws = parseJws(compact, { typ: tokenTypes.serviceToken });
  const found = options.keys.find(jws.kid);
  return found instanceof Promise ? found.then((key) => accept(jws, key, options, audience)) : accept(jws, found, options, audience);
}

function checkAudience(audience: unknown): void {
  if (typeof audience !== 'string' || audience === '') throw new TypeError('audience must be a text that is not empty');
}

function checkOptions(options: Omit<Expectations, 'keys'>): void {
  const { issuer, clockToleranceSeconds = 5, maxLifeSeconds = 900 } = options;
  if (issuer === undefined || issuer.length === 0) throw new TypeError('issuer must name at least one issuer');
  if (!(clockToleranceSeconds >= 0 && clockToleranceSeconds <= 5)) throw new TypeError('clockToleranceSeconds must be 0 to 5');
  if (!(maxLifeSeconds > 0)) throw new TypeError('maxLifeSeconds must be above 0');
}

function accept(jws: ParsedJws, key: VerificationKey | undefined, options: Expectations, audience: string | undefined): VerifiedToken {
  if (key === undefined) throw new TokenError('SIGNING_KEY_UNKNOWN', 'no key of this kid is known');
  checkSignature(jws, key);
  const claims = parseServiceTokenClaims(jws.payload);
  checkExpectations(claims, options, audience);
  return Object.freeze({ claims, kid: key.kid, scope: sharedScope(claims.scope) });
}

function checkExpectations(claims: ServiceTokenClaims, options: Omit<Expectations, 'keys'>, audience: string | undefined): void {
  const { issuer, now, clockToleranceSeconds = 5, maxLifeSeconds = 900 } = options;
  const trusted = typeof issuer === 'string' ? claims.iss === issuer : issuer.includes(claims.iss);
  if (!trusted) throw new TokenError('ISSUER_UNTRUSTED', 'the issuer is not trusted here');
  if (audience !== undefined && claims.aud !== audience) throw new TokenError('AUDIENCE_MISMATCH', 'the token is for another audience');
  checkTimes(claims, now(), clockToleranceSeconds);
  if (claims.exp - claims.iat > maxLifeSeconds) throw new TokenError('TOKEN_MALFORMED', 'the token lives longer than this verifier allows');
}
