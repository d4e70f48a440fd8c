// Original file: tokenmesh/v1/revocation_feed.proto

import type { FeedKey as _tokenmesh_v1_FeedKey, FeedKey__Output as _tokenmesh_v1_FeedKey__Output } from '../../tokenmesh/v1/FeedKey.ts';

export interface GetFeedKeysResponse {
  'keys'?: (_tokenmesh_v1_FeedKey)[];
}

export interface GetFeedKeysResponse__Output {
  'keys': (_tokenmesh_v1_FeedKey__Output)[];
}
