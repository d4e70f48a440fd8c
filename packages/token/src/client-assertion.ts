import { checkSignature, type ParsedJws, parseJws, signJws, tokenTypes } from './jws.ts';
import type { SigningKey, VerificationKey } from './keys.ts';
import { TokenError } from './token-error.ts';

/** How long an assertion may live at most, in seconds: it is used at once, and its `jti` has to be remembered for as long. */
const maxLifeSeconds = 60;

/**
 * Signs a client assertion: the proof with which a workload authenticates one request to the issuer (`private_key_jwt`). Single use.
 *
 * @param options.clientId The workload's identity; becomes `iss` and `sub`.
 * @param options.audience The issuer, as the sole value of `aud`.
 * @param options.now Milliseconds since epoch.
 * @param options.newId Makes the `jti`.
 * @param options.lifeSeconds Integer 1…60; default 30.
 * @throws {TypeError} `lifeSeconds` is out of range.
 * @see RFC 7523 sections 2.2 and 3, and its bis draft for `typ` and `aud`
 */
export function signClientAssertion(options: {
  readonly clientId: string;
  readonly audience: string;
  readonly key: SigningKey;
  readonly now: () => number;
  readonly newId: () => string;
  readonly lifeSeconds?: number;
}): string {
  const { clientId, audience, key, now, newId, lifeSeconds = 30 } = options;
  if (!Number.isInteger(lifeSeconds) || lifeSeconds < 1 || lifeSeconds > maxLifeSeconds) {
    throw new TypeError(`lifeSeconds must be an integer from 1 to ${maxLifeSeconds}`);
  }
  const iat = Math.floor(now() / 1000);
  const claims = { iss: clientId, sub: clientId, aud: audience, exp: iat + lifeSeconds, iat, jti: newId() };
  return signJws(claims, { typ: tokenTypes.clientAssertion, key });
}

/** What an assertion says of itself. Anybody can write this: it serves to choose whose keys to verify with, and for nothing else. */
export interface UnverifiedClientAssertion {
  readonly unverified: true;
  readonly clientId: string;
  readonly kid: string;
}

/**
 * Reads whose assertion this claims to be, WITHOUT verifying it.
 *
 * @throws {TokenError} `CLIENT_AUTHENTICATION_FAILED`
 */
export function readClientAssertion(compact: string): UnverifiedClientAssertion {
  return asAuthenticationFailure(() => {
    const jws = parseClientAssertion(compact);
    return { unverified: true, clientId: clientIdOf(jws), kid: jws.kid };
  });
}

/** A client that proved to hold its key. */
export interface VerifiedClientAssertion {
  readonly clientId: string;
  /** To be used once: the caller records it, for this client, until `exp` plus the clock tolerance has passed. */
  readonly jti: string;
  /** Seconds since epoch. */
  readonly exp: number;
  readonly kid: string;
}

/**
 * Verifies a client assertion: the shape (`typ` `client-authentication+jwt`, or what OAuth clients in general write: `JWT` or none), the
 * signature, `iss` = `sub`, `aud`, the times, and a life of at most 60 s.
 *
 * Does NOT check that the `jti` is new: only a store that all replicas share can, and the caller must.
 *
 * @param options.audience The issuer. `aud` must be this text; a list is refused, even of one.
 * @param options.keys The registered keys of the client that {@link readClientAssertion} named, and of no other.
 * @param options.now Milliseconds since epoch.
 * @param options.clockToleranceSeconds 0…5; default 5.
 * @throws {TokenError} `CLIENT_AUTHENTICATION_FAILED`, always; the cause says why.
 * @throws {TypeError} An option is missing or out of range.
 * @see RFC 7523 section 3, and its bis draft
 */
export function verifyClientAssertion(
  compact: string,
  options: {
    readonly audience: string;
    readonly keys: ReadonlyMap<string, VerificationKey>;
    readonly now: () => number;
    readonly clockToleranceSeconds?: number;
  },
): VerifiedClientAssertion {
  const { audience, keys, now, clockToleranceSeconds = 5 } = options;
  if (typeof audience !== 'string' || audience === '') throw new TypeError('audience must be a text that is not empty');
  if (!(clockToleranceSeconds >= 0 && clockToleranceSeconds <= 5)) throw new TypeError('clockToleranceSeconds must be 0 to 5');
  return asAuthenticationFailure(() => {
    const jws = parseClientAssertion(compact);
    const key = keys.get(jws.kid);
    if (key === undefined) throw new TokenError('SIGNING_KEY_UNKNOWN', 'the client has no key of this kid');
    checkSignature(jws, key);
    const clientId = clientIdOf(jws);
    const { aud, jti, exp } = jws.payload;
    if (aud !== audience) throw new TokenError('AUDIENCE_MISMATCH', 'aud is not the issuer as its sole value');
    if (typeof jti !== 'string' || !jtiGrammar.test(jti)) {
      throw new TokenError('TOKEN_MALFORMED', 'jti must be 1 to 128 visible ASCII characters');
    }
    checkLife(jws, now() / 1000, clockToleranceSeconds);
    // True: checkLife refuses an exp that is no number.
    return { clientId, jti, exp: exp as number, kid: jws.kid };
  });
}

const jtiGrammar = /^[!-~]{1,128}$/;

/** What was parsed last, and is not verified by that: an issuer reads an assertion for its allowance, for its keys, and to verify it. */
let latest: { readonly compact: string; readonly jws: ParsedJws } | undefined;

function parseClientAssertion(compact: string): ParsedJws {
  const last = latest;
  latest = undefined; // a text is compared once: no guess after guess can be measured against it
  const jws = last?.compact === compact ? last.jws : parseJws(compact, { typ: tokenTypes.clientAssertion, allowUntyped: true });
  latest = { compact, jws };
  return jws;
}

function clientIdOf({ payload: { iss, sub } }: ParsedJws): string {
  if (typeof iss !== 'string' || iss === '' || iss !== sub)
    throw new TokenError('TOKEN_MALFORMED', 'iss and sub must both be the client id');
  return iss;
}

function checkLife({ payload: { exp, iat, nbf } }: ParsedJws, now: number, tolerance: number): void {
  if (typeof exp !== 'number') throw new TokenError('TOKEN_MALFORMED', 'exp must be an integer');
  if (!isAbsentOrNumber(iat) || !isAbsentOrNumber(nbf)) throw new TokenError('TOKEN_MALFORMED', 'iat and nbf must be integers');
  if (!(now < exp + tolerance)) throw new TokenError('TOKEN_EXPIRED', 'the assertion has expired');
  if (!(now >= Math.max(iat ?? 0, nbf ?? 0) - tolerance)) throw new TokenError('TOKEN_NOT_YET_VALID', 'the assertion is not valid yet');
  // `iat` is optional: without it the life still ends within the minute that the store remembers.
  if (exp - (iat ?? now) > maxLifeSeconds) {
    throw new TokenError('TOKEN_MALFORMED', `the assertion lives longer than ${maxLifeSeconds} s`);
  }
}

function isAbsentOrNumber(value: unknown): value is number | undefined {
  return value === undefined || typeof value === 'number';
}

function asAuthenticationFailure<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof TokenError)) throw cause;
    throw new TokenError('CLIENT_AUTHENTICATION_FAILED', 'the client assertion is refused', { cause });
  }
}
