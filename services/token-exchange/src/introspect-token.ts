import type { IntrospectTokenRequest, IntrospectTokenResponse } from '@tokenmesh/proto';
import { actorChain, TokenError, type VerifiedToken } from '@tokenmesh/token';
import { refuseSuspended, withClient } from './client-authentication.ts';
import { handlesOf, type Issuer, verifyOwnToken } from './issuer.ts';

/**
 * Tells whether a token is active, by the record itself: a revocation that was acknowledged before the question shows in the answer.
 *
 * Only the token's audience and the client it was issued to learn anything. For everybody else, and for a token that is expired, revoked,
 * foreign or no token at all, the answer is `active: false` and nothing else.
 *
 * @throws {TokenError} CLIENT_AUTHENTICATION_FAILED, REQUEST_INVALID, CLIENT_NOT_ALLOWED for a suspended client.
 * @see RFC 7662 section 2.2 and section 4.
 */
export async function introspectToken(request: IntrospectTokenRequest, issuer: Issuer): Promise<IntrospectTokenResponse> {
  return await withClient(request, issuer, async (transaction, client) => {
    await refuseSuspended(transaction, client);
    if (!request.token) throw new TokenError('REQUEST_INVALID', 'token is missing');
    const token = await verifyOwnToken(request.token, issuer).catch((error: unknown) => {
      if (error instanceof TokenError) return undefined;
      throw error;
    });
    if (!token) return { active: false };
    // looked up before it is known who may ask: both answers take the same time
    const isRevoked = await transaction.isRevoked(handlesOf(token));
    const { aud, client_id } = token.claims;
    if (isRevoked || (client.id !== aud && client.id !== client_id)) return { active: false };
    return describe(token);
  });
}

function describe({ claims }: VerifiedToken): IntrospectTokenResponse {
  const { scope, client_id, exp, iat, sub, aud, iss, jti, txn, rn, sid = '', cnf, net = [] } = claims;
  return {
    active: true,
    token_type: cnf?.jkt === undefined ? 'Bearer' : 'DPoP',
    ...{ scope, client_id, exp, iat, sub, aud, iss, jti, txn, rn, sid },
    act: [...actorChain(claims)],
    ...(cnf && { cnf: { x5t_s256: cnf['x5t#S256'] ?? '', jkt: cnf.jkt ?? '' } }),
    net: [...net],
  };
}
