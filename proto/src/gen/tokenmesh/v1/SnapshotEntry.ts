// Original file: tokenmesh/v1/revocation_feed.proto

import type { Long } from '@grpc/proto-loader';

export interface SnapshotEntry {
  'kind'?: (string);
  'value'?: (string);
  /**
   * Seconds since epoch; after it no token can be alive that this entry covers.
   */
  'exp'?: (number | string | Long);
  /**
   * Position of the event that made it.
   */
  'n'?: (number | string | Long);
  /**
   * Time of that event, milliseconds since epoch.
   */
  't'?: (number | string | Long);
}

export interface SnapshotEntry__Output {
  'kind': (string);
  'value': (string);
  /**
   * Seconds since epoch; after it no token can be alive that this entry covers.
   */
  'exp': (number);
  /**
   * Position of the event that made it.
   */
  'n': (number);
  /**
   * Time of that event, milliseconds since epoch.
   */
  't': (number);
}
