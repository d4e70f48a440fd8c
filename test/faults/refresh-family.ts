import { type ExchangeClients, type IssuedTokens, labelOf } from './exchange-clients.ts';
import type { RefreshAttempt } from './family-oracle.ts';
import { outcomeOf } from './outcome.ts';

/** A refresh family as its client knows it, with everything that was tried with its tokens. */
export interface RefreshFamily {
  readonly name: string;
  /** The newest tokens that were received. */
  head(): IssuedTokens;
  /** Tokens that were used up by an acknowledged refresh: the first one and the last few, in order. */
  used(): readonly UsedToken[];
  readonly attempts: readonly RefreshAttempt[];
  /** Whether the last presentation of the head had no answer. */
  isUncertain(): boolean;
  /**
   * Presents a token, the head when none is named, and goes on from its successor when it was the head.
   *
   * @param scope What is asked for: another scope is another request, the same one a retry.
   */
  refresh(clients: ExchangeClients, options?: { readonly token?: string; readonly scope?: string }): Promise<RefreshAttempt>;
}

export interface UsedToken {
  readonly token: string;
  /** When the answer was there, on the clock of `performance.now()`. */
  readonly usedAtMs: number;
}

const keptLast = 3;

export function createFamily(name: string, first: IssuedTokens): RefreshFamily {
  let head = first;
  let used: UsedToken[] = [];
  let uncertain = false;
  const attempts: RefreshAttempt[] = [];

  return {
    name,
    head: () => head,
    used: () => used,
    attempts,
    isUncertain: () => uncertain,
    async refresh(clients, { token = head.refreshToken, scope = '' } = {}) {
      const startedAtMs = performance.now();
      const outcome = await outcomeOf(clients.issue(clients.refreshRequest(token, scope)));
      const attempt: RefreshAttempt = {
        ...{ family: name, presented: labelOf(token), content: scope, startedAtMs, endedAtMs: performance.now() },
        outcome: outcome.kind === 'accepted' ? { ...outcome, value: labelOf(outcome.value.refreshToken) } : outcome,
      };
      attempts.push(attempt);
      if (token === head.refreshToken) {
        uncertain = outcome.kind === 'lost';
        if (outcome.kind === 'accepted') {
          used = [...used.slice(0, 1), ...used.slice(1).slice(-keptLast + 1), { token, usedAtMs: attempt.endedAtMs }];
          head = outcome.value;
        }
      }
      return attempt;
    },
  };
}

/**
 * Goes on with families after a restart: those whose last answer was lost make the same request again, which has two seconds.
 *
 * @returns Those that were not refused. Whether the others were refused rightly is for the oracle to say.
 */
export async function continueFamilies(families: readonly RefreshFamily[], clients: ExchangeClients): Promise<RefreshFamily[]> {
  const attempts = await Promise.all(families.map((family) => family.refresh(clients)));
  return families.filter((_, index) => attempts[index]?.outcome.kind !== 'refused');
}
