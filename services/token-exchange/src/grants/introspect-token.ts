import type { IntrospectTokenRequest, IntrospectTokenResponse } from '@tokenmesh/proto';
import { actorChain, TokenError, type VerifiedToken } from '@tokenmesh/token';
import { refuseSuspended, withClient } from '../clients/client-authentication.ts';
import type { ClientEvidence } from '../clients/client-evidence.ts';
import type { Workload } from '../config/config.ts';
import type { StoreTransaction } from '../record/store.ts';
import { handlesOf, type Issuer } from './issuer.ts';
import { isOpaqueToken } from './opaque-token.ts';
import { findOwnToken } from './own-token.ts';
import { findRefreshToken, readGrant } from './refresh-token.ts';

/**
 * Tells whether a token is active, by the record itself: a revocation that was acknowledged before the question shows in the answer.
 *
 * Only the token's audience and the client it was issued to learn anything. For everybody else, and for a token that is expired, revoked,
 * foreign or no token at all, the answer is `active: false` and nothing else.
 *
 * @throws {TokenError} CLIENT_AUTHENTICATION_FAILED, REQUEST_INVALID, CLIENT_NOT_ALLOWED for a suspended client.
 * @see RFC 7662 section 2.2 and section 4.
 */
export async function introspectToken(
  request: IntrospectTokenRequest,
  issuer: Issuer,
  evidence: ClientEvidence = {},
): Promise<IntrospectTokenResponse> {
  return await withClient(request, issuer, evidence, async (transaction, client) => {
    await refuseSuspended(transaction, client);
    if (!request.token) throw new TokenError('REQUEST_INVALID', 'token is missing');
    if (isOpaqueToken(request.token, 'refresh')) return await describeRefreshToken(request.token, client, transaction, issuer);
    const token = await findOwnToken(request.token, transaction, issuer);
    if (!token) return { active: false };
    // looked up before it is known who may ask: both answers take the same time
    const isRevoked = await transaction.isRevoked(handlesOf(token));
    const { aud, client_id } = token.claims;
    if (isRevoked || (client.id !== aud && client.id !== client_id)) return { active: false };
    return describe(token);
  });
}

/** A refresh token has no audience that could ask: only its client learns anything. What was used up is not active. */
async function describeRefreshToken(
  text: string,
  client: Workload,
  transaction: StoreTransaction,
  { config, now }: Issuer,
): Promise<IntrospectTokenResponse> {
  const token = await findRefreshToken(text, transaction);
  if (!token) return { active: false };
  const { family, use, sid } = token;
  const isRevoked = await transaction.isRevoked(family.handles);
  if (isRevoked || use || family.exp * 1000 <= now() || family.clientId !== client.id) return { active: false };
  const grant = readGrant(family);
  const { sub, scope, txn } = grant;
  return { active: true, scope, client_id: client.id, exp: family.exp, sub, iss: config.issuer, txn, sid, act: [...actorChain(grant)] };
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
