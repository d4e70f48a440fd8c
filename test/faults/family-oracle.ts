import { nameOf, type Outcome } from './outcome.ts';

/** One presentation of a refresh token. Tokens are named by labels, never by their bytes. */
export interface RefreshAttempt {
  readonly family: string;
  readonly presented: string;
  /** What was asked for besides: requests with the same one are retries of one another. */
  readonly content: string;
  /** Milliseconds, on one clock for all attempts. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** When accepted: the label of the successor. */
  readonly outcome: Outcome<string>;
}

/** The same answer is given again for so long (protocol section 2). */
const retryWindowMs = 2000;
const slackMs = 50;

/**
 * What in these attempts, in any order, says that a family was not a path; empty when nothing does.
 *
 * Each refresh token has one successor at most, and each successor one predecessor. A used token is answered again only to the identical request and
 * within the window. What comes after the refusal of a reused one is refused too. The newest token of a family in which nothing was reused is
 * accepted; so is the retry, within the window, of an attempt whose answer was lost.
 *
 * @param ended Families that were ended otherwise: they may be refused anything.
 */
export function judgeFamilies(attempts: readonly RefreshAttempt[], ended: ReadonlySet<string> = new Set()): readonly string[] {
  const parents = new Map<string, string>();
  const violations: string[] = [];
  for (const { family, presented, outcome } of attempts) {
    if (outcome.kind !== 'accepted') continue;
    const parent = parents.get(outcome.value) ?? presented;
    if (parent !== presented) violations.push(`${family}: ${outcome.value} is the successor of both ${parent} and ${presented}`);
    parents.set(outcome.value, parent);
  }
  for (const [family, ofFamily] of Map.groupBy(attempts, (attempt) => attempt.family)) {
    violations.push(...judgeFamily(family, ofFamily, ended.has(family)));
  }
  return violations;
}

function judgeFamily(family: string, attempts: readonly RefreshAttempt[], isEnded: boolean): readonly string[] {
  const violations: string[] = [];
  const violated = (what: string) => violations.push(`${family}: ${what}`);
  const byToken = Map.groupBy(attempts, ({ presented }) => presented);

  const firstReuseMs = Math.min(...attempts.filter(({ outcome }) => nameOf(outcome) === 'GRANT_REUSED').map(({ endedAtMs }) => endedAtMs));
  for (const { presented, outcome, startedAtMs } of attempts) {
    if (outcome.kind === 'failed') violated(`${presented} ${nameOf(outcome)}`);
    if (outcome.kind === 'accepted' && startedAtMs > firstReuseMs) violated(`${presented} was accepted after a reuse revoked the family`);
  }

  for (const [presented, ofToken] of byToken) {
    const accepted = ofToken.filter(({ outcome }) => outcome.kind === 'accepted').sort((a, b) => a.endedAtMs - b.endedAtMs);
    const successors = new Set(accepted.map(({ outcome }) => (outcome.kind === 'accepted' ? outcome.value : '')));
    if (successors.size > 1) violated(`a tree: ${presented} has the successors ${[...successors].join(' and ')}`);
    if (new Set(accepted.map(({ content }) => content)).size > 1) violated(`${presented} was accepted in requests that differ`);
    const usedAtMs = accepted[0]?.endedAtMs ?? 0;
    for (const { startedAtMs } of accepted) {
      const laterMs = Math.round(startedAtMs - usedAtMs);
      if (laterMs > retryWindowMs + slackMs) violated(`${presented} was accepted once more after ${laterMs} ms`);
    }
  }

  if (isEnded) return violations;
  const refused = attempts.filter(({ outcome }) => outcome.kind === 'refused');
  const reuses = refused.filter((attempt) => isReuse(attempt, byToken.get(attempt.presented) ?? []));
  // from then on the family may be revoked: the answers need not come in the order in which they were decided
  const revokedFromMs = Math.min(...reuses.map(({ startedAtMs }) => startedAtMs));
  for (const attempt of refused) {
    if (reuses.includes(attempt) || attempt.endedAtMs >= revokedFromMs) continue;
    violated(`${attempt.presented} was refused with ${nameOf(attempt.outcome)}, and nothing was reused`);
  }
  return violations;
}

/** Whether another request may have used the token up that this one is no retry of, or one that comes too late. */
function isReuse(attempt: RefreshAttempt, ofToken: readonly RefreshAttempt[]): boolean {
  return ofToken.some(
    (other) =>
      other !== attempt &&
      other.outcome.kind !== 'refused' &&
      other.startedAtMs <= attempt.endedAtMs &&
      (other.content !== attempt.content || attempt.endedAtMs - other.startedAtMs > retryWindowMs - slackMs),
  );
}
