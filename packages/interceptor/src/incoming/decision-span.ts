import type { Span } from '@opentelemetry/api';
import type { Freshness } from '@tokenmesh/revocation';
import { actorChain, type VerifiedToken } from '@tokenmesh/token';
import { spanAttributes as attribute, spanEvents } from '../semantic-conventions.ts';
import { tokenIdHash } from '../token-id-hash.ts';
import type { Rule } from './rules.ts';

// Each attribute costs a sampled call about a microsecond, most of it when it is sent: what is as usual is left out, and nothing is put together to be taken apart again.

/** The same for every call with a token, or of a rule: made once for each, and kept as long as that is. */
function oncePer<Key extends object>(make: (key: Key) => string): (key: Key) => string {
  const made = new WeakMap<Key, string>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const text = make(key);
    made.set(key, text);
    return text;
  };
}

const idHashOf = oncePer(({ claims }: VerifiedToken) => tokenIdHash(claims.jti));
const scopeOf = oncePer(({ scopes, anyScope }: Rule) => [...scopes, ...anyScope].join(' '));

/**
 * Notes what a call's token says. Only of one that was verified: what a refused token claims may be anything, a secret included.
 *
 * @param namesIssuer Whether tokens of several count, so that the key alone does not tell whose it is.
 */
export function noteVerified(span: Span, token: VerifiedToken, freshness: Freshness, isCached: boolean, namesIssuer: boolean): void {
  const { claims, kid } = token;
  span.setAttribute(attribute.tokenId, idHashOf(token));
  span.setAttribute(attribute.tokenAudience, claims.aud);
  if (kid !== '') span.setAttribute(attribute.tokenKid, kid);
  if (namesIssuer) span.setAttribute(attribute.issuer, claims.iss);
  if (claims.cnf || claims.net) span.setAttribute(attribute.tokenBinding, bindingOf(claims));
  if (claims.act) span.setAttribute(attribute.delegationDepth, actorChain(claims).length);
  if (!isCached) span.setAttribute(attribute.cacheHit, false);
  if (freshness.state !== 'fresh') span.setAttribute(attribute.revocationState, freshness.state);
  if (freshness.state !== 'empty') span.setAttribute(attribute.revocationAge, freshness.ageMs / 1000);
}

/** Notes that a call was admitted; `stale`: although revocations were. Nothing when the span is not recorded. */
export function noteAdmitted(span: Span | undefined, rule: Rule, stale: boolean): void {
  if (!span?.isRecording()) return;
  noteDecision(span, rule, 'admitted');
  if (stale) span.setAttribute(attribute.stale, true);
}

/** Notes that a call was refused. Nothing when the span is not recorded. */
export function noteRefused(span: Span | undefined, rule: Rule | undefined, reason: string | undefined): void {
  if (!span?.isRecording()) return;
  noteDecision(span, rule, 'refused');
  if (reason !== undefined) span.setAttribute(attribute.reason, reason);
}

/** Notes that a stream which was admitted is ended from here: the decision on the call stays what it was. */
export function noteStreamEnded(span: Span | undefined, reason: string | undefined): void {
  if (!span?.isRecording()) return;
  const why = reason === undefined ? {} : { [attribute.reason]: reason };
  span.addEvent(spanEvents.streamEnded, why);
  span.setAttributes(why);
}

/** What was decided in attributes, to be searched for, and the moment of it as an event. */
function noteDecision(span: Span, rule: Rule | undefined, decision: 'admitted' | 'refused'): void {
  span.addEvent(spanEvents.decision);
  span.setAttribute(attribute.decision, decision);
  if (!rule) return;
  if (rule.public || rule.class === 'critical') span.setAttribute(attribute.ruleClass, rule.public ? 'public' : rule.class);
  const scope = scopeOf(rule);
  if (scope !== '') span.setAttribute(attribute.ruleScope, scope);
}

function bindingOf({ cnf, net }: VerifiedToken['claims']): string[] {
  return [
    ...(cnf?.['x5t#S256'] === undefined ? [] : ['certificate']),
    ...(cnf?.jkt === undefined ? [] : ['key']),
    ...(net ? ['network'] : []),
  ];
}
