import { TokenError } from '@tokenmesh/token';
import { type ClientParameters, provedClientOf } from '../clients/client-authentication.ts';
import type { Config } from '../config/config.ts';
import { claimedClient, type Vouching } from '../doors/admit-operations.ts';
import type { TokenOperations } from '../grants/operations.ts';
import type { AuditTrail } from './audit.ts';

/** What a refusal may name: nothing that a client wrote is kept unless it is a name of the configuration, for it could be a token. */
export interface KnownNames extends Vouching {
  readonly config: Pick<Config, 'workloads' | 'grants' | 'audience'>;
}

/** The operations, with every refusal noted in the audit. What they do is audited in the transaction that does it. */
export function auditOperations(operations: TokenOperations, live: KnownNames, audit: Pick<AuditTrail, 'refused'>): TokenOperations {
  function registered(clientId: string): string {
    return live.config.workloads.has(clientId) ? clientId : '';
  }

  function known({ audience = '', resource = '' }: { audience?: string; resource?: string }): Readonly<Record<string, string>> {
    const target = audience || resource;
    const { grants, audience: own } = live.config;
    return target !== '' && (target === own || grants.some(({ to }) => to === target)) ? { aud: target } : {};
  }

  async function auditing<T>(
    kind: string,
    request: ClientParameters & { audience?: string; resource?: string },
    work: Promise<T>,
  ): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      const proved = provedClientOf(error);
      const claimed = proved === undefined ? registered(claimedClient(request, live)) : '';
      const what = { ...known(request), ...(claimed && { claimed_client: claimed }) };
      audit.refused({ kind, who: proved ?? '', what, reason: error.reason });
      throw error;
    }
  }

  return {
    jwks: operations.jwks,
    metadata: operations.metadata,
    exchange: (request, evidence) => auditing('token.refused', request, operations.exchange(request, evidence)),
    async exchangeSeveral(request, evidence) {
      const response = await auditing('token.refused', request, operations.exchangeSeveral(request, evidence));
      const who = registered(claimedClient(request, live)); // the request as a whole was proved to be its
      for (const [index, { refusal }] of (response.results ?? []).entries()) {
        if (refusal?.reason)
          audit.refused({ kind: 'token.refused', who, what: known(request.requests[index] ?? {}), reason: refusal.reason });
      }
      return response;
    },
    introspect: (request, evidence) => auditing('introspection.refused', request, operations.introspect(request, evidence)),
    revoke: (request, evidence) => auditing('revocation.refused', request, operations.revoke(request, evidence)),
  };
}
