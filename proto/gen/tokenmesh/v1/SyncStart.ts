// Original file: tokenmesh/v1/revocation_feed.proto

import type { Long } from '@grpc/proto-loader';

export interface SyncStart {
  'epoch'?: (string);
  'from'?: (number | string | Long);
}

export interface SyncStart__Output {
  'epoch': (string);
  'from': (number);
}
