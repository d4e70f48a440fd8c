// Original file: tokenmesh/v1/revocation_feed.proto

import type { FeedKey as _tokenmesh_v1_FeedKey, FeedKey__Output as _tokenmesh_v1_FeedKey__Output } from '../../tokenmesh/v1/FeedKey.ts';
import type { Long } from '@grpc/proto-loader';

export interface GetFeedKeysResponse {
  'keys'?: (_tokenmesh_v1_FeedKey)[];
  /**
   * As in GetJwksResponse, and the same number.
   */
  'version'?: (number | string | Long);
}

export interface GetFeedKeysResponse__Output {
  'keys': (_tokenmesh_v1_FeedKey__Output)[];
  /**
   * As in GetJwksResponse, and the same number.
   */
  'version': (number);
}
