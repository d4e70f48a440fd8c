import { oauthError } from '@tokenmesh/interceptor';
import type {
  ExchangeTokenRequest,
  ExchangeTokenResponse,
  ExchangeTokensRequest,
  ExchangeTokensResponse,
  GetJwksResponse,
  GetMetadataResponse,
  IntrospectTokenRequest,
  IntrospectTokenResponse,
  RevokeTokenRequest,
} from '@tokenmesh/proto';
import { actorChain, algorithmNames, type ServiceTokenClaims, TokenError } from '@tokenmesh/token';
import { authenticationMethods } from '../clients/client-authentication.ts';
import type { ClientEvidence } from '../clients/client-evidence.ts';
import type { Config } from '../config/config.ts';
import type { EventLog } from '../event-log.ts';
import type { KeyRing } from '../keys/keys.ts';
import type { Acknowledgement } from '../revocation/revocation.ts';
import { exchangeToken, grantTypes, type IssuedToken } from './exchange-token.ts';
import { exchangeTokens } from './exchange-tokens.ts';
import { noteGrant } from './grant-span.ts';
import { introspectToken } from './introspect-token.ts';
import type { LiveIssuer } from './live-issuer.ts';
import { ownScopes } from './policy.ts';
import { revokeToken } from './revoke-token.ts';

/** The answer, once what was issued is on the log. */
function noted({ response, claims, rule, isRepeated }: IssuedToken, log: EventLog): ExchangeTokenResponse {
  const { jti, client_id, sub, aud, scope, txn, rn, exp, sid } = claims;
  const event = isRepeated ? 'token.answer_repeated' : 'token.issued';
  log.info({ event, jti, client_id, sub, aud, scope, act: actorChain(claims), txn, rn, exp, rule, ...(sid !== undefined && { sid }) });
  return response;
}

/** What both doors offer, gRPC and HTTP: one code path behind them. A refusal is a `TokenError`; what was done is logged here, once. */
export interface TokenOperations {
  exchange(request: ExchangeTokenRequest, evidence?: ClientEvidence): Promise<ExchangeTokenResponse>;
  /** A result for each request, in order. */
  exchangeSeveral(request: ExchangeTokensRequest, evidence?: ClientEvidence): Promise<ExchangeTokensResponse>;
  introspect(request: IntrospectTokenRequest, evidence?: ClientEvidence): Promise<IntrospectTokenResponse>;
  /** `undefined` when there was nothing to revoke. */
  revoke(request: RevokeTokenRequest, evidence?: ClientEvidence): Promise<Acknowledgement | undefined>;
  jwks(): GetJwksResponse;
  metadata(): GetMetadataResponse;
}

/** The part of the live issuer that operations need. */
export interface OperatedIssuer extends Pick<LiveIssuer, 'run'> {
  readonly keys: Pick<KeyRing, 'token' | 'version'>;
  readonly config: Pick<Config, 'issuer' | 'audience' | 'workloads' | 'development'> & Partial<Pick<Config, 'tls'>>;
}

/**
 * @param live Under whose policy each operation runs from beginning to end.
 * @param onIssued Told of each token that was issued. Default: nobody.
 */
export function createOperations(
  live: OperatedIssuer,
  log: EventLog,
  onIssued: (claims: ServiceTokenClaims, grantType: string) => void = () => {},
): TokenOperations {
  function answered(issued: IssuedToken, grantType: string, isOneOfSeveral: boolean): ExchangeTokenResponse {
    noteGrant(issued, grantType, isOneOfSeveral);
    if (!issued.isRepeated) onIssued(issued.claims, grantType);
    return noted(issued, log);
  }

  return {
    async exchange(request, evidence) {
      const issued = await live.run((issuer) => exchangeToken(request, issuer, evidence));
      return answered(issued, request.grant_type, false);
    },
    async exchangeSeveral(request, evidence) {
      const outcomes = await live.run((issuer) => exchangeTokens(request, issuer, evidence));
      const results = outcomes.map((outcome, index) => {
        if (!(outcome instanceof TokenError)) return { response: answered(outcome, request.requests[index]?.grant_type ?? '', true) };
        log.warn({ event: 'token.refused', reason: outcome.reason, detail: outcome.message });
        return { refusal: { reason: outcome.reason, error: oauthError(outcome.reason) ?? '' } };
      });
      return { results };
    },
    introspect: (request, evidence) => live.run((issuer) => introspectToken(request, issuer, evidence)),
    async revoke(request, evidence) {
      const acknowledgement = await live.run((issuer) => revokeToken(request, issuer, evidence));
      if (acknowledgement) log.info({ event: 'token.revoked', cascade: request.cascade, ...acknowledgement });
      return acknowledgement;
    },
    jwks: () => ({ keys: [...live.keys.token.jwks], max_age: live.keys.token.maxAgeSeconds, version: live.keys.version }),
    metadata: () => ({
      issuer: live.config.issuer,
      audience: live.config.audience,
      grant_types_supported: [...grantTypes],
      token_endpoint_auth_methods_supported: [...authenticationMethods(live.config)],
      token_endpoint_auth_signing_alg_values_supported: [...algorithmNames],
      // of token-exchange itself: which scopes other audiences have is theirs to tell
      scopes_supported: [...ownScopes],
      dpop_signing_alg_values_supported: [...algorithmNames],
      tls_client_certificate_bound_access_tokens: live.config.tls?.clientCa !== undefined,
    }),
  };
}
