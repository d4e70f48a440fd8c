import { Metadata, type ServerUnaryCall } from '@grpc/grpc-js';
import type { Acknowledgement as AcknowledgementMessage, TokenExchangeHandlers } from '@tokenmesh/proto';
import type { DpopNonces } from '@tokenmesh/token';
import { evidenceOf } from '../clients/client-evidence.ts';
import type { EventLog } from '../event-log.ts';
import type { TokenOperations } from '../grants/operations.ts';
import type { Acknowledgement } from '../revocation/revocation.ts';
import { answerUnary } from './answer-unary.ts';

/**
 * Handlers of `tokenmesh.v1.TokenExchange`.
 *
 * @param authority Host, and port where it is not 443, under which clients know token-exchange: what their DPoP proofs are for.
 * @param dpopNonces The nonces that `operations` asks of DPoP proofs; every answer to a call with a proof has the next one as its trailer `dpop-nonce`.
 *   Absent: none.
 */
export function createExchangeService(
  operations: TokenOperations,
  authority: string,
  log: EventLog,
  dpopNonces?: DpopNonces,
): TokenExchangeHandlers {
  function answer<Request, Response>(work: (call: ServerUnaryCall<Request, Response>) => Promise<Response>) {
    return answerUnary(log, work, (call) => nextNonce(call, dpopNonces));
  }
  return {
    ExchangeToken: answer(async (call) => operations.exchange(call.request, evidenceOf(call, authority))),
    ExchangeTokens: answer(async (call) => operations.exchangeSeveral(call.request, evidenceOf(call, authority))),
    IntrospectToken: answer(async (call) => operations.introspect(call.request, evidenceOf(call, authority))),
    RevokeToken: answer(async (call) => {
      const acknowledgement = await operations.revoke(call.request, evidenceOf(call, authority));
      return acknowledgement ? { acknowledgement: toMessage(acknowledgement) } : {};
    }),
    GetJwks: answerUnary(log, async () => operations.jwks()),
    GetMetadata: answerUnary(log, async () => operations.metadata()),
  };
}

/** RFC 9449 section 8.2, in gRPC's place for what comes with an answer. */
function nextNonce({ metadata }: Pick<ServerUnaryCall<unknown, unknown>, 'metadata'>, nonces: DpopNonces | undefined): Metadata {
  const trailers = new Metadata();
  if (nonces && metadata.get('dpop').length > 0) trailers.set('dpop-nonce', nonces.current());
  return trailers;
}

export function toMessage({ n, acknowledgedAtMs, broadcast }: Acknowledgement): AcknowledgementMessage {
  return { n, acknowledged_at_ms: acknowledgedAtMs, broadcast: broadcast === 'sent' ? 'BROADCAST_SENT' : 'BROADCAST_PENDING' };
}
