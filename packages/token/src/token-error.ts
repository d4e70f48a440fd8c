import type { Reason } from './reasons.ts';

/**
 * A refusal. `reason` is for programs and for the wire; `message` is for the inside (logs) and says what was wrong in words that never
 * hold bytes of a token or a key. The first failure wins: a reason does not say that everything else was right.
 */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  /** One of the closed list `reasons`. */
  readonly reason: Reason;
  /** When it is worth asking again, in milliseconds from now; absent: not known. */
  readonly retryAfterMs?: number;

  constructor(reason: Reason, message: string, options?: { readonly cause?: unknown; readonly retryAfterMs?: number }) {
    super(message, options);
    this.reason = reason;
    if (options?.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}
