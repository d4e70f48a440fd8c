import type { ServedMethods } from '@tokenmesh/proto';
import type { Rule } from './rules.ts';

/** Rules as a message, for those who watch the mesh. */
export function servedMethods(rules: readonly Rule[]): ServedMethods {
  const methods = rules.map((rule) => ({
    method: rule.method,
    rule: {
      scopes: [...rule.scopes],
      any_scope: [...rule.anyScope],
      public: rule.public,
      callers: [...rule.callers],
      require_binding: rule.requireBinding,
      class: rule.class === 'critical' ? ('METHOD_CLASS_CRITICAL' as const) : ('METHOD_CLASS_STANDARD' as const),
      any_caller: !rule.public && rule.scopes.length + rule.anyScope.length + rule.callers.length === 0,
      ...(rule.maxActDepth !== undefined && { max_act_depth: rule.maxActDepth }),
      ...(rule.maxStaleMs !== undefined && { max_stale_ms: rule.maxStaleMs }),
      ...(rule.maxBlindMs !== undefined && { max_blind_ms: rule.maxBlindMs }),
    },
  }));
  return { methods };
}
