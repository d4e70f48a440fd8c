import type { Reason } from '@tokenmesh/token';
import { outcomeOf } from './refusal.ts';

/** What `expect` can say after `expect.extend(matchers)`; the how-to shows how vitest and jest are told of the types. */
export interface RefusalMatchers {
  /**
   * Passes when the call is refused, for this reason when one is given. Takes what `refusal` takes; await it.
   *
   * @example await expect(unary(client, 'charge', request)).toBeRefused('SCOPE_INSUFFICIENT');
   */
  toBeRefused(reason?: Reason): Promise<void>;
}

/** Matchers for `expect.extend` of vitest and of jest. */
export const matchers = {
  async toBeRefused(received: unknown, expected?: Reason): Promise<{ pass: boolean; message: () => string }> {
    const outcome = await outcomeOf(received);
    const reason = outcome.refusal?.reason;
    const wanted = expected === undefined ? 'refused' : `refused for ${expected}`;
    const actually = outcome.refusal ? `was refused for ${reason}` : outcome.text;
    const pass = reason !== undefined && (expected === undefined || expected === reason);
    return { pass, message: () => `expected the call ${pass ? 'not ' : ''}to be ${wanted}, but it ${actually}` };
  },
};
