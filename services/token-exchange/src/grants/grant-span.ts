import { type Attributes, trace } from '@opentelemetry/api';
import { spanAttributes as attribute, spanEvents, tokenIdHash } from '@tokenmesh/interceptor';
import { actorChain, TokenError } from '@tokenmesh/token';
import { grantTypes, type IssuedToken } from './exchange-token.ts';
import type { TokenOperations } from './operations.ts';

/**
 * The operations, with what was decided on the active span, that of the call: by attributes, and where one call asks for several tokens by an event
 * for each. Nothing that a client wrote is on it unless it is one of the grant types; who it is and what it asked for once that was granted.
 */
export function traceOperations(operations: TokenOperations): TokenOperations {
  return {
    jwks: operations.jwks,
    metadata: operations.metadata,
    exchange: (request, evidence) => noting(grantOf(request), operations.exchange(request, evidence)),
    async exchangeSeveral(request, evidence) {
      const response = await noting({}, operations.exchangeSeveral(request, evidence));
      const span = trace.getActiveSpan();
      for (const [index, { refusal }] of (response.results ?? []).entries()) {
        if (!refusal?.reason || !span?.isRecording()) continue;
        span.addEvent(spanEvents.grant, { ...grantOf(request.requests[index] ?? {}), ...refused(refusal.reason) });
      }
      return response;
    },
    async introspect(request, evidence) {
      const response = await noting({}, operations.introspect(request, evidence));
      trace.getActiveSpan()?.setAttribute(attribute.introspectionActive, response.active === true);
      return response;
    },
    async revoke(request, evidence) {
      const acknowledgement = await noting({}, operations.revoke(request, evidence));
      if (acknowledgement) trace.getActiveSpan()?.setAttribute(attribute.revocationPosition, acknowledgement.n);
      return acknowledgement;
    },
  };
}

/** @param isOneOfSeveral Whether others are issued for the same call. */
export function noteGrant(issued: IssuedToken, grantType: string, isOneOfSeveral: boolean): void {
  const span = trace.getActiveSpan();
  if (!span?.isRecording()) return;
  const { claims, rule, isRepeated } = issued;
  const what: Attributes = {
    ...grantOf({ grant_type: grantType }),
    [attribute.grantOutcome]: isRepeated ? 'repeated' : 'issued',
    [attribute.grantRule]: rule,
    [attribute.clientId]: claims.client_id,
    [attribute.tokenId]: tokenIdHash(claims.jti),
    [attribute.tokenAudience]: claims.aud,
    [attribute.delegationDepth]: actorChain(claims).length,
  };
  if (isOneOfSeveral) span.addEvent(spanEvents.grant, what);
  else span.setAttributes(what);
}

async function noting<T>(grant: Attributes, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TokenError) trace.getActiveSpan()?.setAttributes({ ...grant, ...refused(error.reason) });
    throw error;
  }
}

/** A grant type is a client's text: only what is one is written down. */
function grantOf({ grant_type = '' }: { readonly grant_type?: string }): Attributes {
  return grantTypes.includes(grant_type) ? { [attribute.grantType]: grant_type } : {};
}

function refused(reason: string): Attributes {
  return { [attribute.grantOutcome]: 'refused', [attribute.reason]: reason };
}
