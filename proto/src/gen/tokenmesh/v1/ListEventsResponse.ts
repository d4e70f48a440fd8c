// Original file: tokenmesh/v1/revocation_feed.proto

import type { Long } from '@grpc/proto-loader';

export interface ListEventsResponse {
  'events'?: (string)[];
  /**
   * Position of the newest event; more pages follow while the last event is below it.
   */
  'head'?: (number | string | Long);
}

export interface ListEventsResponse__Output {
  'events': (string)[];
  /**
   * Position of the newest event; more pages follow while the last event is below it.
   */
  'head': (number);
}
