import type { Reason } from '@tokenmesh/token';
import { type RefusalStatus, refusalStatus } from '../status.ts';
import type { Rule } from './rules.ts';

/**
 * Writes the statuses of refusals, each of them once: its details are the same for every call of a method that is refused for one reason, and
 * thousands of streams may end for one.
 *
 * @returns The status, whose `metadata` are the call's own: other interceptors may add to them. `admitted` tells the caller whether the handler was
 *   reached: what never was can safely be called again.
 */
export function createRefusalStatuses(): (reason: Reason, rule: Rule, admitted: boolean) => RefusalStatus {
  // as many as there are reasons at most, twice for each rule
  const written = new Map<Rule, Map<string, RefusalStatus>>();
  return (reason, rule, admitted) => {
    const ofRule = written.get(rule) ?? new Map<string, RefusalStatus>();
    const key = admitted ? `${reason} admitted` : reason;
    let status = ofRule.get(key);
    if (!status) {
      status = refusalStatus(reason, wireInfo(reason, rule, admitted));
      written.set(rule, ofRule.set(key, status));
    }
    return { ...status, metadata: status.metadata.clone() };
  };
}

function wireInfo(reason: Reason, rule: Rule, admitted: boolean): Record<string, string> {
  const needed = rule.scopes.length > 0 ? rule.scopes : rule.anyScope;
  return { method: rule.method, admitted: String(admitted), ...(reason === 'SCOPE_INSUFFICIENT' && { scope: needed.join(' ') }) };
}
