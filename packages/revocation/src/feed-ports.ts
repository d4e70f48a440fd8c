import type { Jwk } from '@tokenmesh/token';

/** A place in the revocation log. Before the first snapshot: `{ epoch: '', n: 0 }`. */
export interface LogPosition {
  readonly epoch: string;
  readonly n: number;
}

/**
 * The record of revocations: token-exchange, asked over its own authenticated channel. What it says is the truth. Each question settles within a
 * time of its own, and rejects at once when `signal` is aborted.
 */
export interface FeedRecord {
  /** The keys that verify events, checkpoints and snapshots, with their successors. */
  keys(signal?: AbortSignal): Promise<readonly Jwk[]>;
  /** Every target in force at one position, as `openSnapshot` takes it. */
  snapshot(signal?: AbortSignal): Promise<{ head: string; chunks: Uint8Array[] }>;
  /**
   * Contiguous events, `from.n` being the first position wanted; `head` is the position of the newest event. It may answer fewer than there
   * are.
   * @throws {PositionGoneError} when that epoch or position is not served any more.
   */
  listEvents(from: LogPosition, signal?: AbortSignal): Promise<{ events: readonly string[]; head: number }>;
  /** A checkpoint that is made after the request and carries its nonce. */
  checkpoint(nonce: string, signal?: AbortSignal): Promise<string>;
}

/** The log that was asked for is not served any more, because it was compacted or another epoch began: a snapshot is needed. */
export class PositionGoneError extends Error {
  override readonly name = 'PositionGoneError';
}

/** What a path tells of what it carries, and of itself. Signatures and numbers are the feed's business: a path hands on what comes. */
export interface FeedTransportHandlers {
  /** An event came: JWS compact serialization, as it was published. */
  onEvent(compact: string): void;
  /** A checkpoint came, likewise. */
  onCheckpoint(compact: string): void;
  /** The path works from now on. Called after every connection, the first one included. */
  onUp(): void;
  /** The path does not work, or could not be opened. The transport goes on trying. */
  onDown(error?: unknown): void;
}

/** A path that is listened to. */
export interface FeedSubscription {
  /** Ends the subscription; no handler is called afterwards. May be called more than once. */
  close(): Promise<void>;
}

/**
 * A path on which events and checkpoints come in. It may lose, delay, reorder and duplicate what it carries, and it need not say so: the feed
 * does not rely on it for completeness.
 */
export interface FeedTransport {
  /** `nats`, `grpc` or `memory`: for people and for reports. */
  readonly name: string;
  /**
   * Connects, and connects again by itself, until closed. `position` tells the last contiguous position that was applied. No handler is called
   * before `subscribe` has returned.
   */
  subscribe(position: () => LogPosition, handlers: FeedTransportHandlers): FeedSubscription;
}

/** The issuer's end of a path. */
export interface FeedPublisher {
  readonly name: string;
  /** Resolves once the courier has it; rejects when that is not known. Publishing the same event again is harmless. */
  publishEvent(event: { readonly epoch: string; readonly n: number; readonly compact: string }): Promise<void>;
  /** Sends and forgets: the next checkpoint replaces one that is lost. */
  publishCheckpoint(compact: string): void;
  close(): Promise<void>;
}
