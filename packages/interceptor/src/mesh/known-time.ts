import type { RevocationFeed } from '@tokenmesh/revocation';

/** Clocks may differ by this much without being wrong. */
const toleranceMs = 5_000;

/**
 * The wall clock, unless it is known to be behind: the issuer signed its last checkpoint at F, and at least as much time as the monotonic clock says has
 * passed since. Where the wall clock was set back behind that by more than 5 s, the known time counts, so that a token that has expired stays so.
 *
 * Does NOT correct a clock that is ahead: such a one refuses tokens early.
 */
export function knownTime(feed: Pick<RevocationFeed, 'freshness'>, now: () => number): () => number {
  return () => {
    const wallMs = now();
    const freshness = feed.freshness();
    if (freshness.state === 'empty') return wallMs;
    const knownMs = freshness.freshAtMs + freshness.ageMs;
    return knownMs - wallMs > toleranceMs ? knownMs : wallMs;
  };
}
