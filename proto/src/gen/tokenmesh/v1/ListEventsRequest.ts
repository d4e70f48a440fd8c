// Original file: tokenmesh/v1/revocation_feed.proto

import type { Long } from '@grpc/proto-loader';

export interface ListEventsRequest {
  'epoch'?: (string);
  /**
   * First position wanted.
   */
  'from'?: (number | string | Long);
  /**
   * At most this many; 0: as many as one answer holds (1 000).
   */
  'limit'?: (number);
}

export interface ListEventsRequest__Output {
  'epoch': (string);
  /**
   * First position wanted.
   */
  'from': (number);
  /**
   * At most this many; 0: as many as one answer holds (1 000).
   */
  'limit': (number);
}
