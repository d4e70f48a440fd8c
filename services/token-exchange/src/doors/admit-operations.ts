import { readClientAssertion } from '@tokenmesh/token';
import type { ClientParameters } from '../clients/client-authentication.ts';
import type { TokenOperations } from '../grants/operations.ts';
import type { Admission } from './admission.ts';

/** The operations behind admission control, for whichever door they are called through. What anybody may read, keys and metadata, is not counted. */
export function admitOperations(operations: TokenOperations, admission: Admission): TokenOperations {
  return {
    jwks: operations.jwks,
    metadata: operations.metadata,
    exchange: (request, evidence) =>
      admission.run(claimedClient(request), request.grant_type === 'refresh_token' ? 'renew' : 'issue', () =>
        operations.exchange(request, evidence),
      ),
    exchangeSeveral: (request, evidence) =>
      admission.run(claimedClient(request), 'issue', () => operations.exchangeSeveral(request, evidence)),
    introspect: (request, evidence) => admission.run(claimedClient(request), 'renew', () => operations.introspect(request, evidence)),
    revoke: (request, evidence) => admission.run(claimedClient(request), 'revoke', () => operations.revoke(request, evidence)),
  };
}

/** Who a request says it comes from; empty when it does not say. */
export function claimedClient({ client_id, client_assertion }: ClientParameters): string {
  if (client_id || !client_assertion) return client_id;
  try {
    return readClientAssertion(client_assertion).clientId;
  } catch {
    return ''; // the authentication that follows says what is wrong with it
  }
}
