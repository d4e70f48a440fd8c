import type { BatchObservableResult, Histogram, Meter } from '@opentelemetry/api';
import { type Reason, reasons } from '@tokenmesh/token';
import { findMeter } from './meter.ts';

/** What became of a call while revocations were stale. */
export type StaleDecision = 'tolerated' | 'introspected' | 'refused';

/** Why a call was refused or a stream ended; `_OTHER`: by an error that has no reason. */
type CountedReason = Reason | '_OTHER';

/** Reasons for which a stream that was admitted is ended. */
const endings = ['TOKEN_EXPIRED', 'TOKEN_REVOKED', 'REVOCATION_STALE'] as const satisfies readonly Reason[];

/**
 * What all verifiers and servers of this process counted: plain numbers, because a call that is decided in a few microseconds has no time for an SDK's counter. They are read
 * when metrics are collected.
 */
const counts = {
  cached: 0,
  verified: 0,
  refused: new Map<CountedReason, number>([...reasons, '_OTHER' as const].map((reason) => [reason, 0])),
  ended: new Map<CountedReason, number>(endings.map((reason) => [reason, 0])),
  exempt: new Map<string, number>(),
};
const liveStreams = new Set<() => number>();
/** Meters that the counts are shown by; a second callback would show them twice. */
const shownBy = new WeakSet<Meter>();

function increment<Key>(counted: Map<Key, number>, key: Key): void {
  counted.set(key, (counted.get(key) ?? 0) + 1);
}

function showCounts(meter: Meter): void {
  if (shownBy.has(meter)) return;
  shownBy.add(meter);
  const decided = meter.createObservableCounter('tokenmesh.calls.decided', {
    description: 'Calls that were admitted with a token, or refused',
    unit: '{call}',
  });
  const exempt = meter.createObservableCounter('tokenmesh.calls.exempt', {
    description: 'Calls that were let in without a token, because their method needs none',
    unit: '{call}',
  });
  const ended = meter.createObservableCounter('tokenmesh.streams.ended', {
    description: 'Streams that were ended after they had been admitted',
    unit: '{stream}',
  });
  const live = meter.createObservableGauge('tokenmesh.streams.live', {
    description: 'Streams that were admitted and have not ended',
    unit: '{stream}',
  });
  const observe = (result: BatchObservableResult) => {
    result.observe(decided, counts.cached, { 'tokenmesh.outcome': 'cached' });
    result.observe(decided, counts.verified, { 'tokenmesh.outcome': 'verified' });
    for (const [reason, count] of counts.refused) {
      result.observe(decided, count, { 'tokenmesh.outcome': 'refused', 'tokenmesh.reason': reason });
    }
    for (const [method, count] of counts.exempt) result.observe(exempt, count, { 'rpc.method': method });
    for (const [reason, count] of counts.ended) result.observe(ended, count, { 'tokenmesh.reason': reason });
    let streams = 0;
    for (const size of liveStreams) streams += size();
    result.observe(live, streams);
  };
  meter.addBatchObservableCallback(observe, [decided, exempt, ended, live]);
}

/** What a server counts of its calls. */
export interface ServerMetrics {
  refused(reason: Reason | undefined): void;
  /** A stream that had been admitted was ended. */
  ended(reason: Reason | undefined): void;
  /** A call came in without a token; `method` is one of those that are served. */
  exempt(method: string): void;
  close(): void;
}

/**
 * Counts the calls of a server. An SDK that is registered after this was called is not told.
 *
 * @param streams How many streams of this server are live now.
 */
export function createServerMetrics(streams: () => number): ServerMetrics {
  const meter = findMeter();
  if (meter) showCounts(meter);
  liveStreams.add(streams);
  return {
    refused: (reason) => increment(counts.refused, reason ?? '_OTHER'),
    ended: (reason) => increment(counts.ended, reason ?? '_OTHER'),
    exempt: (method) => increment(counts.exempt, method.slice(1)),
    close: () => void liveStreams.delete(streams),
  };
}

/** What a verifier counts of its decisions. */
export interface VerifierMetrics {
  /**
   * A call was admitted with a token that had been verified before (`cached`), or was for this call (`verified`). The age of its token is recorded for one call of 64.
   *
   * @param iat When the token was issued, seconds since epoch.
   */
  admitted(outcome: 'cached' | 'verified', iat: number): void;
  /** Runs the verification of a token that was not verified before, and records how long it took. */
  timed<Result>(verification: () => Result | Promise<Result>): Result | Promise<Result>;
  /** A call was decided while revocations were stale. */
  stale(method: string, decision: StaleDecision): void;
}

/** The age of every token would cost each call a third of its verification: of one call in so many it says as much. A power of 2. */
const callsForEachAge = 64;

/**
 * Counts what a verifier decides. Costs a few nanoseconds a call while no SDK is registered; one that is registered after this was called is not told.
 *
 * @param now Milliseconds since epoch.
 */
export function createVerifierMetrics(now: () => number): VerifierMetrics {
  const meter = findMeter();
  if (!meter) {
    return { admitted: (outcome) => void counts[outcome]++, timed: (verification) => verification(), stale() {} };
  }
  showCounts(meter);
  const stale = meter.createCounter('tokenmesh.calls.stale', {
    description: 'Calls that were decided while revocation data were stale',
    unit: '{call}',
  });
  const age = meter.createHistogram('tokenmesh.token.age', {
    description: 'Age of the tokens that calls were admitted with, of one call in 64',
    unit: 's',
    advice: { explicitBucketBoundaries: [1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600] },
  });
  const duration = meter.createHistogram('tokenmesh.verification.duration', {
    description: 'Time that the verification of a token took which had not been verified before',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] },
  });
  return {
    admitted(outcome, iat) {
      counts[outcome]++;
      if ((counts.cached + counts.verified) % callsForEachAge === 1) age.record(Math.max(0, now() / 1000 - iat));
    },
    timed: (verification) => timed(verification, duration),
    stale: (method, decision) => stale.add(1, { 'rpc.method': method.slice(1), 'tokenmesh.stale.decision': decision }),
  };
}

function timed<Result>(verification: () => Result | Promise<Result>, duration: Histogram): Result | Promise<Result> {
  const beganAt = performance.now();
  const record = (outcome: 'verified' | 'refused') =>
    duration.record((performance.now() - beganAt) / 1000, { 'tokenmesh.outcome': outcome });
  try {
    const result = verification();
    if (!(result instanceof Promise)) {
      record('verified');
      return result;
    }
    return result.then(
      (admitted) => {
        record('verified');
        return admitted;
      },
      (error: unknown) => {
        record('refused');
        throw error;
      },
    );
  } catch (error) {
    record('refused');
    throw error;
  }
}
