import { type Reason, type ServiceTokenClaims, TokenError } from '@tokenmesh/token';
import type { AuditedRefusal } from '../audit/audit.ts';
import type { TokenOperations } from '../grants/operations.ts';
import { findMeter } from './meter.ts';

/** What is counted of requests for tokens. */
export interface OperationMetrics {
  /** The operations, each timed from when it came in, waiting included. */
  measure(operations: TokenOperations): TokenOperations;
  issued(claims: Pick<ServiceTokenClaims, 'client_id' | 'aud'>, grantType: string): void;
  refused(refusal: AuditedRefusal): void;
}

const nothingMeasured: OperationMetrics = { measure: (operations) => operations, issued() {}, refused() {} };

/** Stands for whatever is no name of the configuration: there are as many of those as a caller likes. */
const other = 'other';

/**
 * Counts tokens and refusals by workload and audience, both as the configuration names them. Refusals are those that the audit is told of, which names nobody
 * else; whose name was only claimed counts under that name, for nobody else vouches for the refused.
 */
export function createOperationMetrics(): OperationMetrics {
  const meter = findMeter();
  if (!meter) return nothingMeasured;
  const issued = meter.createCounter('tokenmesh.tokens.issued', { description: 'Tokens that were issued', unit: '{token}' });
  const refused = meter.createCounter('tokenmesh.tokens.refused', {
    description: 'Requests for a token that were refused',
    unit: '{request}',
  });
  const duration = meter.createHistogram('tokenmesh.exchange.server.duration', {
    description: 'Time that a request of a client took, waiting included',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] },
  });

  async function timed<T>(operation: 'exchange' | 'introspect' | 'revoke', work: Promise<T>): Promise<T> {
    const beganAt = performance.now();
    const record = (result: { 'error.type'?: Reason | '_OTHER' }) =>
      duration.record((performance.now() - beganAt) / 1000, { 'tokenmesh.operation': operation, ...result });
    try {
      const answer = await work;
      record({});
      return answer;
    } catch (error) {
      record({ 'error.type': error instanceof TokenError ? error.reason : '_OTHER' });
      throw error;
    }
  }

  return {
    measure: (operations) => ({
      jwks: operations.jwks,
      metadata: operations.metadata,
      exchange: (request, evidence) => timed('exchange', operations.exchange(request, evidence)),
      exchangeSeveral: (request, evidence) => timed('exchange', operations.exchangeSeveral(request, evidence)),
      introspect: (request, evidence) => timed('introspect', operations.introspect(request, evidence)),
      revoke: (request, evidence) => timed('revoke', operations.revoke(request, evidence)),
    }),
    issued: ({ client_id, aud }, grantType) =>
      issued.add(1, { 'tokenmesh.workload': client_id, 'tokenmesh.audience': aud, 'tokenmesh.grant.type': grantType }),
    refused({ kind, who, what, reason }) {
      if (kind !== 'token.refused') return;
      const workload = who || what.claimed_client || other;
      refused.add(1, { 'tokenmesh.workload': workload, 'tokenmesh.audience': what.aud ?? other, 'tokenmesh.reason': reason });
    },
  };
}
