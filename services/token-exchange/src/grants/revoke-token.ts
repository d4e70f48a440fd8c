import type { RevokeTokenRequest } from '@tokenmesh/proto';
import { TokenError } from '@tokenmesh/token';
import { withClient } from '../clients/client-authentication.ts';
import type { ClientEvidence } from '../clients/client-evidence.ts';
import type { Acknowledgement, RevocationTarget } from '../revocation/revocation.ts';
import type { Issuer } from './issuer.ts';
import { findOwnToken } from './own-token.ts';
import { findRefreshToken, readGrant } from './refresh-token.ts';

/**
 * Revokes a token on the word of the client that it was issued to: an access token alone, with a refresh token its whole session, or with
 * `cascade` the whole call chain it belongs to.
 *
 * Without a `request_id` a repetition is recognised by the token itself: revoking it again answers as the first time. A suspended client may
 * revoke: that takes nothing from anybody else.
 *
 * @returns When the revocation is durable; `undefined` when there was nothing to revoke: the token is expired, malformed or not of this
 *   issuer.
 * @throws {TokenError} CLIENT_AUTHENTICATION_FAILED, REQUEST_INVALID, CLIENT_NOT_ALLOWED when the token was issued to another client.
 * @see RFC 7009 sections 2.1 and 2.2.
 */
export async function revokeToken(
  request: RevokeTokenRequest,
  issuer: Issuer,
  evidence: ClientEvidence = {},
): Promise<Acknowledgement | undefined> {
  // the assertion is used up first: the log has a transaction of its own, which several requests share
  const found = await withClient(request, issuer, evidence, async (transaction, client) => {
    if (!request.token) throw new TokenError('REQUEST_INVALID', 'token is missing');
    const session = await findRefreshToken(request.token, transaction);
    if (session) {
      const { family, sid } = session;
      if (family.clientId !== client.id) throw new TokenError('CLIENT_NOT_ALLOWED', `session ${sid} is not one of ${client.id}`);
      const target: RevocationTarget = request.cascade ? { kind: 'chain', value: readGrant(family).txn } : { kind: 'session', value: sid };
      return { client, target };
    }
    const token = await findOwnToken(request.token, transaction, issuer);
    if (!token) return undefined;
    const { client_id, jti, txn, exp } = token.claims;
    if (client_id !== client.id) throw new TokenError('CLIENT_NOT_ALLOWED', `token ${jti} was not issued to ${client.id}`);
    const target: RevocationTarget = request.cascade ? { kind: 'chain', value: txn } : { kind: 'token', value: jti, exp };
    return { client, target };
  });
  if (!found) return undefined;
  const { client, target } = found;
  const requestId = request.request_id || `${target.kind}:${target.value}`;
  return await issuer.revocations.append({ targets: [target], requestedBy: client.id, requestId });
}
