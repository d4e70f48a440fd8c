import type { Freshness } from '@tokenmesh/revocation';
import type { Rule } from './rules.ts';

/**
 * How a method takes the age of its issuer's revocation data.
 *
 * - `fresh`: calls are decided by what is known here.
 * - `tolerated`: older than S; a standard method goes on, and callers are marked as stale.
 * - `asked`: older than S on a critical method, older than G on any: each call needs token-exchange's word, and live streams end.
 * - `closed`: nothing was ever heard: calls are refused, and live streams end.
 */
export type Staleness = 'fresh' | 'tolerated' | 'asked' | 'closed';

/**
 * The rows of the freshness table: age of the data by class of the method.
 *
 * @param rule.maxStaleMs S of the method; the verifier's own where it names none.
 * @param maxBlindMs G of the verifier, for standard methods that name none.
 */
export function stalenessOf(freshness: Freshness, rule: Pick<Rule, 'class' | 'maxStaleMs' | 'maxBlindMs'>, maxBlindMs: number): Staleness {
  if (freshness.state === 'empty') return 'closed';
  const { state, ageMs } = freshness;
  const isFresh = rule.maxStaleMs === undefined ? state === 'fresh' : ageMs <= rule.maxStaleMs;
  if (isFresh) return 'fresh';
  return rule.class === 'standard' && ageMs <= (rule.maxBlindMs ?? maxBlindMs) ? 'tolerated' : 'asked';
}
