export { createRevocationFeed, type FeedStatus, type RevocationFeed, type RevocationFeedOptions } from './feed.ts';
export type { Alarm, Freshness } from './freshness.ts';
export { createRevocationSet, type Entry, type Match, type RevocableToken, type RevocationSet } from './revocation-set.ts';
export { type Target, type TargetKind, targetKinds } from './target.ts';

// For issuers, and for those who write a path of their own.

export { type Checkpoint, openCheckpoint, signCheckpoint } from './checkpoint.ts';
export { genesisHash, openEvent, type RevocationEvent, type SignedEvent, signEvent } from './event.ts';
export {
  type FeedPublisher,
  type FeedRecord,
  type FeedSubscription,
  type FeedTransport,
  type FeedTransportHandlers,
  type LogPosition,
  PositionGoneError,
} from './feed-ports.ts';
export { openSnapshot, type SnapshotHead, signSnapshot } from './snapshot.ts';
