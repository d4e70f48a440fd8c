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
 * Reads whose assertion this claims to be, WITHOUT verifying it: {@link verifyClientAssertion} does that.
 *
 * @throws {TokenError} `CLIENT_AUTHENTICATION_FAILED`: it has not the shape of one (`typ` `client-authentication+jwt`, or what OAuth clients in general
 *   write: `JWT` or none), or `iss` is not `sub`; the cause says what.
 */
export function readClientAssertion(compact: string): UnverifiedClientAssertion {
  return asAuthenticationFailure(() => new ReadAssertion(parseJws(compact, { typ: tokenTypes.clientAssertion, allowUntyped: true })));
}

/** Holds what was parsed where nobody prints or copies it: it is the credential itself. */
class ReadAssertion implements UnverifiedClientAssertion {
  readonly unverified = true;
  readonly clientId: string;
  readonly kid: string;
  readonly #jws: ParsedJws;

  constructor(jws: ParsedJws) {
    this.clientId = clientIdOf(jws);
    this.kid = jws.kid;
    this.#jws = jws;
  }

  static jwsOf(assertion: UnverifiedClientAssertion): ParsedJws {
    if (!(assertion instanceof ReadAssertion)) throw new TypeError('assertion must be what readClientAssertion returned');
    return assertion.#jws;
  }
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
 * Verifies a client assertion: beside its shape and `iss` = `sub`, without which it could not be read, the signature, `aud`, the times, and a life of at
 * most 60 s.
 *
 * Does NOT check that the `jti` is new: only a store that all replicas share can, and the caller must.
 *
 * @param assertion As {@link readClientAssertion} returned it, and no copy. It can be verified again: each time anew.
 * @param options.audience The issuer. `aud` must be this text; a list is refused, even of one.
 * @param options.keys The registered keys of the client that `assertion` names, and of no other.
 * @param options.now Milliseconds since epoch.
 * @param options.clockToleranceSeconds 0…5; default 5.
 * @throws {TokenError} `CLIENT_AUTHENTICATION_FAILED`, always; the cause says why.
 * @throws {TypeError} An option is missing or out of range, or `assertion` was not read here.
 * @see RFC 7523 section 3, and its bis draft
 */
export function verifyClientAssertion(
  assertion: UnverifiedClientAssertion,
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
  const jws = ReadAssertion.jwsOf(assertion);
  return asAuthenticationFailure(() => {
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
