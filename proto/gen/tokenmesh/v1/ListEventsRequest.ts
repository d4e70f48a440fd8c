// Original file: tokenmesh/v1/revocation_feed.proto

import type { Long } from '@grpc/proto-loader';

export interface ListEventsRequest {
  'epoch'?: (string);
  'from'?: (number | string | Long);
  'limit'?: (number);
}

export interface ListEventsRequest__Output {
  'epoch': (string);
  'from': (number);
  'limit': (number);
}
