import type { Reason } from './reasons.ts';

/**
 * A refusal. `reason` is for programs and for the wire; `message` is for the inside (logs) and says what was wrong in words that never
 * hold bytes of a token or a key. The first failure wins: a reason does not say that everything else was right.
 */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}
