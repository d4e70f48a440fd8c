import { hasScope, type ServiceTokenClaims, TokenError } from '@tokenmesh/token';
import type { Rule } from './rules.ts';

/** What a rule looks at, in this order. */
export type RuleCheck = 'scopes' | 'any_scope' | 'callers' | 'max_act_depth';

/** What of a verified token a rule looks at. */
export interface JudgedToken {
  readonly claims: Pick<ServiceTokenClaims, 'client_id' | 'act'>;
  readonly scope: readonly string[];
}

/**
 * Whether a method's rule admits a verified token. RFC 8693 section 4.1: the current actor counts, nobody further down the chain. Does NOT look at
 * `public`, `requireBinding` and staleness, which are not about what the token says.
 *
 * @param report Told of each check that the rule asks for and what it compared, at the moment of the check.
 * @throws {TokenError} SCOPE_INSUFFICIENT, CALLER_NOT_ALLOWED, DELEGATION_NOT_ALLOWED, DELEGATION_TOO_DEEP
 */
export function checkRule(
  { claims, scope }: JudgedToken,
  rule: Rule,
  report?: (check: RuleCheck, passed: boolean, compared: string) => void,
): void {
  const hasAll = hasScope(scope, rule.scopes);
  if (rule.scopes.length > 0) report?.('scopes', hasAll, `${scope.join(' ')} with ${rule.scopes.join(' ')}`);
  if (!hasAll) throw new TokenError('SCOPE_INSUFFICIENT', `needs ${rule.scopes.join(' ')}`);
  if (rule.anyScope.length > 0) {
    const hasOne = rule.anyScope.some((one) => hasScope(scope, [one]));
    report?.('any_scope', hasOne, `${scope.join(' ')} with one of ${rule.anyScope.join(' ')}`);
    if (!hasOne) throw new TokenError('SCOPE_INSUFFICIENT', `needs one of ${rule.anyScope.join(' ')}`);
  }
  if (rule.callers.length > 0) {
    const caller = claims.act?.sub ?? claims.client_id;
    const isListed = rule.callers.includes(caller);
    report?.('callers', isListed, `${caller} with ${rule.callers.join(', ')}`);
    if (!isListed) throw new TokenError('CALLER_NOT_ALLOWED', 'the rule does not list the caller');
  }
  if (rule.maxActDepth !== undefined) {
    const actors = depthOf(claims);
    report?.('max_act_depth', actors <= rule.maxActDepth, `${actors} with at most ${rule.maxActDepth}`);
    if (rule.maxActDepth === 0 && claims.act) throw new TokenError('DELEGATION_NOT_ALLOWED', 'the rule takes no delegated tokens');
    if (actors > rule.maxActDepth) throw new TokenError('DELEGATION_TOO_DEEP', `more than ${rule.maxActDepth} actors`);
  }
}

function depthOf(claims: JudgedToken['claims']): number {
  let count = 0;
  for (let actor = claims.act; actor; actor = actor.act) count++;
  return count;
}
