import type { RevocationEvent } from './event.ts';
import type { FeedRecord, FeedTransport } from './feed-ports.ts';
import type { FeedStatus } from './feed-reports.ts';
import type { Freshness, Instant } from './freshness.ts';
import type { RevocationSet } from './revocation-set.ts';

/** An event that came into force, and how it came. */
export interface AppliedEvent {
  readonly event: RevocationEvent;
  /** Name of the path; `record` when it was asked for. */
  readonly path: string;
  /** By the feed's wall clock, milliseconds since epoch. */
  readonly receivedAtMs: number;
  /** Which span published it, as the path has it: unlike the event nobody vouches for that, and it may be any text. `undefined`: the path does not say. */
  traceparent(): string | undefined;
}

/** A verifier's knowledge of what was revoked, kept current in the background. */
export interface RevocationFeed {
  readonly set: RevocationSet;
  /**
   * How much the set is worth now. Cheap enough for every call.
   *
   * @param at What the clocks say, where they were read already; they have to be the feed's own. Default: they are read.
   */
  freshness(at?: Instant): Freshness;
  /**
   * Calls `listener` when targets came into force, after they are in the set: which token is covered, the set tells. Returns what ends it.
   *
   * @param listener `applied` is absent when a snapshot was loaded.
   */
  onApplied(listener: (applied?: AppliedEvent) => void): () => void;
  /** Resolves when the feed is fresh for the first time; rejects when it is closed before. */
  ready(): Promise<void>;
  /** What happens from now on, until the feed is closed. Of a slow reader's backlog the newest 256 are kept. */
  status(): AsyncIterable<FeedStatus>;
  /** Ends all paths and timers. May be called more than once. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Where revocations come from, whose they are, and how old they may become. */
export interface RevocationFeedOptions {
  /** Answers for the log: keys, snapshot, missing events, checkpoints on request. */
  readonly record: FeedRecord;
  /** The fast path, always listened to. */
  readonly courier?: FeedTransport;
  /** The path while the courier is down or silent; the only one when there is no courier. */
  readonly fallback?: FeedTransport;
  /** `iss` of events, checkpoints and snapshots. */
  readonly issuer: string;
  /** Their `aud`: the trust domain. */
  readonly mesh: string;
  /** S in milliseconds, 100 to 3 600 000, default 5 000. A smaller S in the issuer's checkpoints counts instead. */
  readonly staleAfterMs?: number;
  /** How far a checkpoint may lie in the future; default 5 000 ms. */
  readonly futureToleranceMs?: number;
  /** Wall clock, milliseconds since epoch. */
  readonly now?: () => number;
  /** A clock that never steps, in milliseconds. */
  readonly monotonicNow?: () => number;
  /** Makes nonces: 1 to 128 visible ASCII characters. */
  readonly newId?: () => string;
  /** 0 to 1, for jitter. */
  readonly random?: () => number;
  /**
   * Called with the version of the issuer's keys, those that sign tokens included, that a checkpoint names which counts (it moved F): signed, and never one
   * that was played again. Must not throw.
   */
  readonly onKeysVersion?: (version: number) => void;
  /** Called with everything that `status()` would tell. What it throws is ignored. */
  readonly report?: (status: FeedStatus) => void;
}
