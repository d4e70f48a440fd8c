// Original file: tokenmesh/v1/revocation_feed.proto

import type { Long } from '@grpc/proto-loader';

export interface ListEventsResponse {
  'events'?: (string)[];
  'head'?: (number | string | Long);
}

export interface ListEventsResponse__Output {
  'events': (string)[];
  'head': (number);
}
