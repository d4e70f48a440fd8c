import type { ExchangeTokenRequest, ExchangeTokensRequest } from '@tokenmesh/proto';
import { TokenError } from '@tokenmesh/token';
import { type AuthenticatedClient, withClient } from '../clients/client-authentication.ts';
import type { ClientEvidence } from '../clients/client-evidence.ts';
import type { StoreTransaction } from '../record/store.ts';
import { conclude, type IssuedToken, issueToken, readRequest } from './exchange-token.ts';
import type { Issuer } from './issuer.ts';
import type { ReusedRefreshToken } from './refresh-token.ts';

/** As many audiences as a service talks to, and few enough that one transaction stays short. */
const maxRequests = 32;

/**
 * Issues several tokens on one client authentication: each request is judged as `exchangeToken` would judge it alone, and one that is refused
 * takes nothing from the others. All that are issued are durable together; when the record fails, none is.
 *
 * @returns For each request, in order, the token or its refusal.
 * @throws {TokenError} CLIENT_AUTHENTICATION_FAILED, PROOF_INVALID, PROOF_NONCE_REQUIRED, PROOF_REPLAYED; REQUEST_INVALID for none or more than 32 requests.
 */
export async function exchangeTokens(
  { requests, ...parameters }: ExchangeTokensRequest,
  issuer: Issuer,
  evidence: ClientEvidence = {},
): Promise<readonly (IssuedToken | TokenError)[]> {
  if (requests.length === 0 || requests.length > maxRequests) throw new TokenError('REQUEST_INVALID', `1 to ${maxRequests} requests`);
  const outcomes = await withClient(parameters, issuer, evidence, async (transaction, client) => {
    const judged: (IssuedToken | ReusedRefreshToken | TokenError)[] = [];
    // one after the other: they share a connection
    for (const request of requests) judged.push(await orRefusal(issueOne(request, client, transaction, issuer)));
    return judged;
  });
  return await Promise.all(outcomes.map((outcome) => (outcome instanceof TokenError ? outcome : orRefusal(conclude(outcome)))));
}

async function issueOne(request: ExchangeTokenRequest, client: AuthenticatedClient, transaction: StoreTransaction, issuer: Issuer) {
  const { client_id, client_assertion_type, client_assertion, client_secret } = request;
  if (client_id || client_assertion_type || client_assertion || client_secret) {
    throw new TokenError('REQUEST_INVALID', 'client authentication belongs to the whole, not to one of its requests');
  }
  return await issueToken(readRequest(request), client, transaction, issuer);
}

async function orRefusal<T>(outcome: Promise<T>): Promise<T | TokenError> {
  return await outcome.catch((error: unknown) => {
    if (error instanceof TokenError) return error;
    throw error;
  });
}
