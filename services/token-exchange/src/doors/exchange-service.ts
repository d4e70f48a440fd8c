import type { Acknowledgement as AcknowledgementMessage, TokenExchangeHandlers } from '@tokenmesh/proto';
import { evidenceOf } from '../clients/client-evidence.ts';
import type { EventLog } from '../event-log.ts';
import type { TokenOperations } from '../grants/operations.ts';
import type { Acknowledgement } from '../revocation/revocation-log.ts';
import { answerUnary } from './answer-unary.ts';

/**
 * Handlers of `tokenmesh.v1.TokenExchange`.
 *
 * @param authority Host, and port where it is not 443, under which clients know token-exchange: what their DPoP proofs are for.
 */
export function createExchangeService(operations: TokenOperations, authority: string, log: EventLog): TokenExchangeHandlers {
  return {
    ExchangeToken: answerUnary(log, async (call) => operations.exchange(call.request, evidenceOf(call, authority))),
    ExchangeTokens: answerUnary(log, async (call) => operations.exchangeSeveral(call.request, evidenceOf(call, authority))),
    IntrospectToken: answerUnary(log, async (call) => operations.introspect(call.request, evidenceOf(call, authority))),
    RevokeToken: answerUnary(log, async (call) => {
      const acknowledgement = await operations.revoke(call.request, evidenceOf(call, authority));
      return acknowledgement ? { acknowledgement: toMessage(acknowledgement) } : {};
    }),
    GetJwks: answerUnary(log, async () => operations.jwks()),
    GetMetadata: answerUnary(log, async () => operations.metadata()),
  };
}

export function toMessage({ n, acknowledgedAtMs, broadcast }: Acknowledgement): AcknowledgementMessage {
  return { n, acknowledged_at_ms: acknowledgedAtMs, broadcast: broadcast === 'sent' ? 'BROADCAST_SENT' : 'BROADCAST_PENDING' };
}
