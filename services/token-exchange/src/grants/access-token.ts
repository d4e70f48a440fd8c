import type { ExchangeTokenResponse } from '@tokenmesh/proto';
import { type JsonObject, parseServiceTokenClaims, type ServiceTokenClaims, signServiceToken, TokenError } from '@tokenmesh/token';
import type { StoreTransaction } from '../record/store.ts';
import type { Issuer } from './issuer.ts';
import { hashOpaqueToken, newOpaqueToken, opaqueTokenType } from './opaque-token.ts';
import type { Decision, TokenFormat } from './policy.ts';

/** RFC 8693 section 3, as far as an access token can be called so. */
export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
/** What OpenID providers issue of their subjects; never what is issued here. */
export const idTokenType = 'urn:ietf:params:oauth:token-type:id_token';
const jwtType = 'urn:ietf:params:oauth:token-type:jwt';

/** What `requested_token_type` may be, and the form that it asks for; `access_token` leaves it to the audience. */
const formats: Readonly<Record<string, TokenFormat | 'any'>> = { [accessTokenType]: 'any', [jwtType]: 'jwt', [opaqueTokenType]: 'opaque' };

export function isRequestableTokenType(type: string): boolean {
  return Object.hasOwn(formats, type);
}

/**
 * Makes the access token of these claims, in the form that was asked for or that its audience has: signed, or put on record.
 *
 * @param requestedTokenType One that `isRequestableTokenType` knows.
 * @param audience How it wants its tokens: the format, default `jwt`, and an audience of opaque tokens has no other; whether they may come as
 *   `tokenmesh-token` metadata, which the answer says.
 * @throws {TokenError} REQUEST_INVALID when a JWT was asked for and the audience takes opaque tokens only; TOKEN_MALFORMED when the claims do
 *   not make a token.
 */
export async function writeAccessToken(
  claims: ServiceTokenClaims,
  requestedTokenType: string,
  audience: Pick<Extract<Decision, { allowed: true }>, 'format' | 'compactMetadata'>,
  transaction: StoreTransaction,
  issuer: Issuer,
): Promise<ExchangeTokenResponse> {
  const asked = formats[requestedTokenType];
  const format = asked === 'any' || asked === undefined ? (audience.format ?? 'jwt') : asked;
  if (format === 'jwt' && audience.format === 'opaque') throw new TokenError('REQUEST_INVALID', 'the audience takes opaque tokens only');
  return {
    access_token: format === 'jwt' ? signServiceToken(claims, issuer.keys.token.signing) : await recordOpaqueToken(claims, transaction),
    issued_token_type: requestedTokenType,
    token_type: claims.cnf?.jkt === undefined ? 'Bearer' : 'DPoP',
    expires_in: claims.exp - claims.iat,
    scope: claims.scope,
    refresh_token: '',
    compact_metadata: audience.compactMetadata ?? false,
  };
}

async function recordOpaqueToken(claims: ServiceTokenClaims, transaction: StoreTransaction): Promise<string> {
  const token = newOpaqueToken('access');
  // true: claims hold nothing but JSON values; they are held to the rules of the signed form
  const checked = parseServiceTokenClaims(claims as unknown as JsonObject);
  await transaction.addOpaqueToken({ hash: hashOpaqueToken(token), claims: JSON.stringify(checked), exp: claims.exp });
  return token;
}
