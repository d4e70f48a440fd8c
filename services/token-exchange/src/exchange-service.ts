import type { Acknowledgement as AcknowledgementMessage, TokenExchangeHandlers } from '@tokenmesh/proto';
import { actorChain, algorithmNames } from '@tokenmesh/token';
import { answerUnary } from './answer-unary.ts';
import type { EventLog } from './event-log.ts';
import { clientCredentialsGrant, exchangeToken, tokenExchangeGrant } from './exchange-token.ts';
import { introspectToken } from './introspect-token.ts';
import type { Issuer } from './issuer.ts';
import { ownScopes } from './policy.ts';
import type { Acknowledgement } from './revocation-log.ts';
import { revokeToken } from './revoke-token.ts';

/** Verifiers refresh at half of it, and keep using what they have when they cannot (protocol section 8). */
const jwksMaxAgeSeconds = 300;

/** Handlers of `tokenmesh.v1.TokenExchange`. */
export function createExchangeService(issuer: Issuer, log: EventLog): TokenExchangeHandlers {
  return {
    ExchangeToken: answerUnary(log, async ({ request }) => {
      const { response, claims, rule } = await exchangeToken(request, issuer);
      const { jti, client_id, sub, aud, scope, txn, rn, exp } = claims;
      log.info({ event: 'token.issued', jti, client_id, sub, aud, scope, act: actorChain(claims), txn, rn, exp, rule });
      return response;
    }),
    IntrospectToken: answerUnary(log, ({ request }) => introspectToken(request, issuer)),
    RevokeToken: answerUnary(log, async ({ request }) => {
      const acknowledgement = await revokeToken(request, issuer);
      if (acknowledgement) log.info({ event: 'token.revoked', cascade: request.cascade, ...acknowledgement });
      return acknowledgement ? { acknowledgement: toMessage(acknowledgement) } : {};
    }),
    GetJwks: answerUnary(log, async () => ({ keys: [...issuer.keys.token.jwks], max_age: jwksMaxAgeSeconds })),
    GetMetadata: answerUnary(log, async () => ({
      issuer: issuer.config.issuer,
      audience: issuer.config.audience,
      grant_types_supported: [clientCredentialsGrant, tokenExchangeGrant],
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: [...algorithmNames],
      // of token-exchange itself: which scopes other audiences have is theirs to tell
      scopes_supported: [...ownScopes],
    })),
  };
}

export function toMessage({ n, acknowledgedAtMs, broadcast }: Acknowledgement): AcknowledgementMessage {
  return { n, acknowledged_at_ms: acknowledgedAtMs, broadcast: broadcast === 'sent' ? 'BROADCAST_SENT' : 'BROADCAST_PENDING' };
}
