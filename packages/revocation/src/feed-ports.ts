import type { Jwk } from '@tokenmesh/token';

/** A place in the revocation log. Before the first snapshot: `{ epoch: '', n: 0 }`. */
export interface LogPosition {
  readonly epoch: string;
  readonly n: number;
}

/** The keys of the feed as the record has them. */
export interface FeedKeys {
  readonly keys: readonly Jwk[];
  /** As checkpoints announce it; 0 where the record does not say. */
  readonly version: number;
}

/**
 * The record of revocations: token-exchange, asked over its own authenticated channel. What it says is the truth. Each question settles within a
 * time of its own, and rejects at once when `signal` is aborted.
 */
export interface FeedRecord {
  /** The keys that verify events, checkpoints and snapshots, with their successors. */
  keys(signal?: AbortSignal): Promise<FeedKeys>;
  /**
   * Every target in force at one position, as `openSnapshot` takes it. Chunks may still be on their way, and can be read once; abort `signal` when
   * they are not read to the end.
   */
  snapshot(signal?: AbortSignal): Promise<{ head: string; chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array> }>;
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
  /**
   * An event came: JWS compact serialization, as it was published.
   *
   * @param traceparent Which span published it (W3C Trace Context), where the path can say so: for telemetry. Not signed, and asked for only once the
   *   event itself was verified; must not throw.
   */
  onEvent(compact: string, traceparent?: () => string | undefined): void;
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

/** An event on its way to a courier. */
export interface PublishedEvent {
  readonly epoch: string;
  readonly n: number;
  readonly compact: string;
  /** Goes beside the event, to link what verifiers do with it to the span that it names (W3C Trace Context). Absent: nothing does. */
  readonly traceparent?: string | undefined;
}

/** The issuer's end of a path. */
export interface FeedPublisher {
  readonly name: string;
  /** Resolves once the courier has it; rejects when that is not known. Publishing the same event again is harmless. */
  publishEvent(event: PublishedEvent): Promise<void>;
  /** Sends and forgets: the next checkpoint replaces one that is lost. */
  publishCheckpoint(compact: string): void;
  /** Whether what is published now goes out; absent: it is not known. */
  readonly isConnected?: boolean | undefined;
  /** What the courier keeps of what it was given, to be compared with the record; absent: it keeps nothing, or is not open yet. */
  readonly stream?: CourierStream | undefined;
  close(): Promise<void>;
}

/** Where a courier's stream stands. */
export interface StreamState {
  /** When it was made, as the courier writes it: a stream that was made anew under the same name has another. */
  readonly created: string;
  /** Sequence number of the oldest message that is kept; of an empty stream one above `lastSeq`. */
  readonly firstSeq: number;
  /** The highest sequence number that was given; 0 before the first. */
  readonly lastSeq: number;
  /** Numbers between the two whose messages are gone. */
  readonly deleted: ReadonlySet<number>;
  /** How long a message is kept, in milliseconds; `Infinity`: for ever. */
  readonly maxAgeMs: number;
}

/** One message of a courier's stream. */
export interface StreamMessage {
  readonly seq: number;
  /** When it came, as the courier writes it: no two messages under one `seq` have the same. */
  readonly storedAt: string;
  /** What was published. Nobody has checked it. */
  readonly compact: string;
}

/** The events that a courier keeps for those who come late. Every method rejects while the courier, or the stream in it, is not there. */
export interface CourierStream {
  state(): Promise<StreamState>;
  /** The message under `seq`; `undefined` when there is none, or none that can be read. */
  read(seq: number): Promise<StreamMessage | undefined>;
  /**
   * Publishes an event that the stream has lost, so that it is kept again: also when the courier remembers its id and would take it for a
   * repetition. Several replicas that do so at once store it once.
   *
   * @returns The `seq` under which the stream has it.
   */
  refill(event: { readonly epoch: string; readonly n: number; readonly compact: string }): Promise<number>;
}
