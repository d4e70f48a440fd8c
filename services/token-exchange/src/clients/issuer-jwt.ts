import { TokenError } from '@tokenmesh/token';
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { defaultIssuerAlgorithms, type IssuerAlgorithm, type IssuerKeys } from './issuer-keys.ts';

/** Tokens of other issuers carry more than ours do: groups, nested claims of a cluster. */
const maxBytes = 8192;
const compactGrammar = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** Whoever lets a token name its own key lets everybody sign (CVE-2018-0114); nothing here understands a critical extension. */
const refusedHeaders = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64'];
/** What is said of a JWT in general (RFC 7519 section 5.1, SPIFFE's JWT-SVID section 2.3), or of an assertion; every other kind has its own use. */
const acceptedTypes: ReadonlySet<string> = new Set(['jwt', 'jose', 'client-authentication+jwt']);

/** What a JWT says of itself. Anybody can write this. */
export interface UnverifiedJwt {
  readonly unverified: true;
  readonly iss: unknown;
  readonly sub: unknown;
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * What a JWT of another issuer says of itself, WITHOUT verifying it: serves to choose the issuer, or whose allowance a request counts against, and
 * nothing else.
 *
 * @throws {TokenError} TOKEN_MALFORMED: not a compact JWT of at most 8 KiB.
 */
export function parseUnverifiedJwt(compact: string): UnverifiedJwt {
  if (compact.length > maxBytes || !compactGrammar.test(compact)) throw malformed();
  const claims = decode(() => decodeJwt<Record<string, unknown>>(compact));
  return { unverified: true, iss: claims.iss, sub: claims.sub, claims };
}

/**
 * Verifies a JWT of another issuer: at most 8 KiB, compact, a header without any key or critical extension, `typ` that of a JWT in general, `alg` and
 * key by configuration, the signature, `iss`, `aud`, `exp`, `nbf` and `iat`, and a `sub`.
 *
 * Does NOT look whether it was used before.
 *
 * @param options.issuer What `iss` must be; absent: not looked at (a JWT-SVID needs none: its keys are those of the trust domain).
 * @param options.audience What `aud` must be, alone or as a list of one; with `allowOtherAudiences` a list that holds it.
 * @param options.types What `typ` may be where it is there, in lower case; default a JWT in general, or an assertion.
 * @param options.now Milliseconds since epoch; 5 s of difference are tolerated.
 * @throws {TokenError} TOKEN_MALFORMED, TOKEN_TYPE_REJECTED, TOKEN_SIGNATURE_INVALID, SIGNING_KEY_UNKNOWN, KEYS_UNAVAILABLE, ISSUER_UNTRUSTED,
 *   AUDIENCE_MISMATCH, TOKEN_EXPIRED, TOKEN_NOT_YET_VALID.
 * @see RFC 7519 section 7.2; RFC 8725 section 3
 */
export async function verifyIssuerJwt(
  compact: string,
  options: {
    readonly keys: IssuerKeys;
    readonly algorithms?: readonly IssuerAlgorithm[];
    readonly issuer?: string | undefined;
    readonly audience: string;
    readonly allowOtherAudiences?: boolean;
    readonly types?: ReadonlySet<string>;
    readonly now: () => number;
  },
): Promise<JWTPayload & { readonly sub: string; readonly exp: number }> {
  const { keys, algorithms = defaultIssuerAlgorithms, issuer, audience, allowOtherAudiences = false, types = acceptedTypes, now } = options;
  if (compact.length > maxBytes || !compactGrammar.test(compact)) throw malformed();
  const header = decode(() => decodeProtectedHeader(compact));
  if (refusedHeaders.some((name) => Object.hasOwn(header, name))) {
    throw new TokenError('TOKEN_MALFORMED', 'a header member that brings a key, or is critical');
  }
  if (header.typ !== undefined && !types.has(bareType(header.typ))) {
    throw new TokenError('TOKEN_TYPE_REJECTED', 'typ is not that of a JWT in general');
  }
  const { payload } = await jwtVerify(compact, (protectedHeader) => keys.find(protectedHeader), {
    algorithms: [...algorithms],
    audience,
    ...(issuer !== undefined && { issuer }),
    requiredClaims: ['exp', 'sub'],
    clockTolerance: 5,
    currentDate: new Date(now()),
  }).catch((error: unknown) => {
    throw toTokenError(error);
  });
  const { sub, exp, iat, aud } = payload;
  if (typeof sub !== 'string' || sub === '' || typeof exp !== 'number') throw malformed();
  if (iat !== undefined && iat > now() / 1000 + 5) throw new TokenError('TOKEN_NOT_YET_VALID', 'iat is in the future');
  // another audience of the same token could present it here (CVE-2025-27370)
  if (!allowOtherAudiences && Array.isArray(aud) && aud.length > 1) throw new TokenError('AUDIENCE_MISMATCH', 'aud names others as well');
  return { ...payload, sub, exp };
}

function bareType(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '');
}

function decode<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw malformed(); // what the library says may quote the token
  }
}

/** The library's errors hold the payload: only what kind they are of goes on. */
function toTokenError(error: unknown): unknown {
  if (error instanceof TokenError) return error;
  if (error instanceof errors.JWTExpired) return new TokenError('TOKEN_EXPIRED', 'the JWT has expired');
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim } = error;
    if (claim === 'iss') return new TokenError('ISSUER_UNTRUSTED', 'iss is another issuer');
    if (claim === 'aud') return new TokenError('AUDIENCE_MISMATCH', 'aud is not the audience that is configured');
    if (claim === 'nbf') return new TokenError('TOKEN_NOT_YET_VALID', 'the JWT is not valid yet');
    return new TokenError('TOKEN_MALFORMED', 'a claim is missing or of the wrong type');
  }
  if (error instanceof errors.JOSEError) return new TokenError('TOKEN_SIGNATURE_INVALID', 'alg or signature of the JWT is refused');
  if (error instanceof TypeError) return new TokenError('TOKEN_SIGNATURE_INVALID', 'the key does not fit the JWT');
  return error;
}

function malformed(): TokenError {
  return new TokenError('TOKEN_MALFORMED', 'not a JWT of at most 8 KiB');
}
