import type { JsonObject } from '@tokenmesh/token';
import { parseScope, parseServiceTokenClaims, TokenError, type VerifiedToken } from '@tokenmesh/token';
import type { StoreTransaction } from '../record/store.ts';
import { type Issuer, verifyOwnToken } from './issuer.ts';
import { hashOpaqueToken, isOpaqueToken } from './opaque-token.ts';

/**
 * Verifies an access token of this issuer in either form, whoever it is for. An opaque one has no `kid`: no key signed it.
 *
 * Does NOT look at revocation, and does NOT take refresh tokens.
 *
 * @throws {TokenError} TOKEN_EXPIRED, TOKEN_MALFORMED (also: an opaque token that is not on record), and as `verifyServiceToken`.
 */
export async function readOwnToken(text: string, transaction: StoreTransaction, issuer: Issuer): Promise<VerifiedToken> {
  if (!isOpaqueToken(text, 'access')) return await verifyOwnToken(text, issuer);
  const stored = await transaction.findOpaqueToken(hashOpaqueToken(text));
  if (!stored) throw new TokenError('TOKEN_MALFORMED', 'an opaque token that is not on record');
  if (stored.exp * 1000 <= issuer.now()) throw new TokenError('TOKEN_EXPIRED', 'the opaque token has expired');
  const claims = parseServiceTokenClaims(JSON.parse(stored.claims) as JsonObject); // true: an object was written
  return Object.freeze({ claims, kid: '', scope: parseScope(claims.scope) });
}

/** As `readOwnToken`; `undefined` for what is no token that counts. */
export async function findOwnToken(text: string, transaction: StoreTransaction, issuer: Issuer): Promise<VerifiedToken | undefined> {
  return await readOwnToken(text, transaction, issuer).catch((error: unknown) => {
    if (error instanceof TokenError) return undefined;
    throw error;
  });
}
