export { createRevocationFeed } from './feed.ts';
export type { FeedStatus } from './feed-reports.ts';
export type { Alarm, Freshness, Instant } from './freshness.ts';
export type { AppliedEvent, RevocationFeed, RevocationFeedOptions } from './revocation-feed.ts';
export { createRevocationSet, type Match, type RevocableToken, type RevocationSet } from './revocation-set.ts';
export { type Target, type TargetKind, targetKinds } from './target.ts';

// For issuers, and for those who write a path of their own.

export { type Checkpoint, openCheckpoint, signCheckpoint } from './checkpoint.ts';
export { claimedPosition, genesisHash, openEvent, type RevocationEvent, type SignedEvent, signEvent } from './event.ts';
export {
  type CourierStream,
  type FeedKeys,
  type FeedPublisher,
  type FeedRecord,
  type FeedSubscription,
  type FeedTransport,
  type FeedTransportHandlers,
  type LogPosition,
  PositionGoneError,
  type PublishedEvent,
  type StreamMessage,
  type StreamState,
} from './feed-ports.ts';
export { createKeyAnnouncements, type KeyAnnouncements } from './key-announcements.ts';
export type { PackedEntries } from './packed-entries.ts';
export { openSnapshot, type SnapshotHead, signSnapshot } from './snapshot.ts';
