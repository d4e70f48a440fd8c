// The verifier's state machine as it is, for those who check it against a model.
export {
  type FeedEffect,
  type FeedInput,
  type FeedState,
  type FreshnessLimits,
  freshnessAt,
  initialState,
  nextRequest,
  positionOf,
  step,
} from './freshness.ts';
export { type OpenedPath, testFeedTransport } from './testing/feed-transport-contract.ts';
export { createMemoryCourier, type MemoryCourier, publishFrom } from './testing/memory-courier.ts';
export { createMemoryRecord, type IssuerListener, type MemoryRecord, type MemoryRecordOptions } from './testing/memory-record.ts';
export { seededRandom } from './testing/seeded-random.ts';
export { serveMemoryRecord } from './testing/serve-memory-record.ts';
