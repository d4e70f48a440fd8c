import type { Attributes, Span } from '@opentelemetry/api';
import type { Freshness } from '@tokenmesh/revocation';
import { actorChain, type VerifiedToken } from '@tokenmesh/token';
import { spanAttributes as attribute, spanEvents } from '../semantic-conventions.ts';
import { tokenIdHash } from '../token-id-hash.ts';
import type { Rule } from './rules.ts';

/** What a call's span says of its token. Only of one that was verified: what a refused token claims may be anything, a secret included. */
export function verifiedAttributes({ claims, kid }: VerifiedToken, freshness: Freshness, isCached: boolean): Attributes {
  return {
    [attribute.issuer]: claims.iss,
    [attribute.tokenId]: tokenIdHash(claims.jti),
    [attribute.tokenAudience]: claims.aud,
    ...(kid !== '' && { [attribute.tokenKid]: kid }),
    [attribute.tokenBinding]: bindingOf(claims),
    [attribute.delegationDepth]: actorChain(claims).length,
    [attribute.cacheHit]: isCached,
    [attribute.revocationState]: freshness.state,
    ...(freshness.state !== 'empty' && { [attribute.revocationAge]: freshness.ageMs / 1000 }),
  };
}

/** Notes that a call was admitted; `stale`: although revocations were. Nothing when the span is not recorded. */
export function noteAdmitted(span: Span | undefined, rule: Rule, stale: boolean): void {
  if (!span?.isRecording()) return;
  noteDecision(span, rule, { [attribute.decision]: 'admitted' });
  if (stale) span.setAttribute(attribute.stale, true);
}

/** Notes that a call was refused. Nothing when the span is not recorded. */
export function noteRefused(span: Span | undefined, rule: Rule | undefined, reason: string | undefined): void {
  if (!span?.isRecording()) return;
  noteDecision(span, rule, { [attribute.decision]: 'refused', ...(reason !== undefined && { [attribute.reason]: reason }) });
}

/** Notes that a stream which was admitted is ended from here: the decision on the call stays what it was. */
export function noteStreamEnded(span: Span | undefined, reason: string | undefined): void {
  if (!span?.isRecording()) return;
  const why = reason === undefined ? {} : { [attribute.reason]: reason };
  span.addEvent(spanEvents.streamEnded, why);
  span.setAttributes(why);
}

/** In attributes, to be searched for, and as an event, for the moment of it. */
function noteDecision(span: Span, rule: Rule | undefined, decision: Attributes): void {
  span.addEvent(spanEvents.decision, decision);
  span.setAttributes(decision);
  if (!rule) return;
  span.setAttribute(attribute.ruleClass, rule.public ? 'public' : rule.class);
  span.setAttribute(attribute.ruleScope, [...rule.scopes, ...rule.anyScope]);
}

function bindingOf({ cnf, net }: VerifiedToken['claims']): string[] {
  return [
    ...(cnf?.['x5t#S256'] === undefined ? [] : ['certificate']),
    ...(cnf?.jkt === undefined ? [] : ['key']),
    ...(net ? ['network'] : []),
  ];
}
