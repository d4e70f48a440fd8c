/** The clock of the revocation log, and the times by which it remembers and forgets. All in milliseconds since epoch. */
export interface ExpiryClock {
  /** The wall clock. Everything that the log signs is dated by it. */
  now(): number;
  /**
   * Never ahead of the time that has passed since the clock was created: what expired before is forgotten. A wall clock that is set ahead for a while
   * would otherwise make forget what is in force again as soon as it is set right.
   */
  earliest(): number;
  /**
   * The latest time that was ever told: how long something has to be remembered is counted from here. Tokens that were issued while the wall clock was
   * ahead end that much later.
   */
  latest(): number;
}

export interface ExpiryClockOptions {
  readonly now: () => number;
  /** Milliseconds on a clock that is never set. It may stand still while the machine sleeps: then things are remembered longer. */
  readonly monotonicNow: () => number;
  /** A time that is known to have passed. */
  readonly passedMs: number;
}

/**
 * A clock for remembering and forgetting, against wall clocks that are set (issuers date tokens and revocations by them).
 *
 * Does NOT help against one that is ahead when it is created, and stays so: nothing else tells the time.
 */
export function createExpiryClock({ now, monotonicNow, passedMs }: ExpiryClockOptions): ExpiryClock {
  const began = { wallMs: now(), monotonicMs: monotonicNow() };
  let latest = Math.max(passedMs, began.wallMs);
  const tell = () => {
    const wallMs = now();
    latest = Math.max(latest, wallMs);
    return wallMs;
  };
  return {
    now: tell,
    earliest: () => Math.min(tell(), began.wallMs + monotonicNow() - began.monotonicMs),
    latest: () => Math.max(tell(), latest),
  };
}
