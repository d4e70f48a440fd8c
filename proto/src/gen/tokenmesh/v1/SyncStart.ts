// Original file: tokenmesh/v1/revocation_feed.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Opens the flow of events, from `from` on. Without it a stream carries reports only.
 */
export interface SyncStart {
  'epoch'?: (string);
  'from'?: (number | string | Long);
}

/**
 * Opens the flow of events, from `from` on. Without it a stream carries reports only.
 */
export interface SyncStart__Output {
  'epoch': (string);
  'from': (number);
}
