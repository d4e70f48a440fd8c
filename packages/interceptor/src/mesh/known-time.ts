import type { Instant, RevocationFeed } from '@tokenmesh/revocation';

/** Clocks may differ by this much without being wrong. */
const toleranceMs = 5_000;

/**
 * The wall clock, unless it is known to be behind: the issuer signed its last checkpoint at F, and at least as much time as the monotonic clock says has
 * passed since. Where the wall clock was set back behind that by more than 5 s, the known time counts, so that a token that has expired stays so.
 *
 * Does NOT correct a clock that is ahead: such a one refuses tokens early.
 *
 * @returns What the time is when the clocks say this, milliseconds since epoch.
 */
export function knownTime(feed: Pick<RevocationFeed, 'freshness'>): (at: Instant) => number {
  return (at) => {
    const { wallMs } = at;
    const freshness = feed.freshness(at);
    if (freshness.state === 'empty') return wallMs;
    const knownMs = freshness.freshAtMs + freshness.ageMs;
    return knownMs - wallMs > toleranceMs ? knownMs : wallMs;
  };
}
