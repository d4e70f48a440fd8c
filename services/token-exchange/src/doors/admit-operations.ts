import { readClientAssertion } from '@tokenmesh/token';
import type { ClientParameters } from '../clients/client-authentication.ts';
import type { Federations } from '../clients/federation.ts';
import type { TokenOperations } from '../grants/operations.ts';
import type { Admission } from './admission.ts';

/** Who else vouches for workloads; absent: nobody. */
export interface Vouching {
  readonly federations?: Federations;
}

/** The operations behind admission control, for whichever door they are called through. What anybody may read, keys and metadata, is not counted. */
export function admitOperations(operations: TokenOperations, admission: Admission, vouching: Vouching = {}): TokenOperations {
  const clientOf = (request: ClientParameters) => claimedClient(request, vouching);
  return {
    jwks: operations.jwks,
    metadata: operations.metadata,
    exchange: (request, evidence) =>
      admission.run(clientOf(request), request.grant_type === 'refresh_token' ? 'renew' : 'issue', () =>
        operations.exchange(request, evidence),
      ),
    exchangeSeveral: (request, evidence) => admission.run(clientOf(request), 'issue', () => operations.exchangeSeveral(request, evidence)),
    introspect: (request, evidence) => admission.run(clientOf(request), 'renew', () => operations.introspect(request, evidence)),
    revoke: (request, evidence) => admission.run(clientOf(request), 'revoke', () => operations.revoke(request, evidence)),
  };
}

/** Who a request says it comes from: by `client_id`, by its own assertion, or by the JWT of an issuer that vouches for it; empty when it does not say. */
export function claimedClient({ client_id, client_assertion }: ClientParameters, { federations }: Vouching): string {
  if (client_id || !client_assertion) return client_id;
  try {
    const unverified = federations?.findCovered(client_assertion);
    if (unverified) return federations?.findClaimed(unverified) ?? '';
    return readClientAssertion(client_assertion).clientId;
  } catch {
    return ''; // the authentication that follows says what is wrong with it
  }
}
