// Original file: tokenmesh/v1/revocation_feed.proto

import type { Long } from '@grpc/proto-loader';

export interface SnapshotEntry {
  'kind'?: (string);
  'value'?: (string);
  'exp'?: (number | string | Long);
  'n'?: (number | string | Long);
  't'?: (number | string | Long);
}

export interface SnapshotEntry__Output {
  'kind': (string);
  'value': (string);
  'exp': (number);
  'n': (number);
  't': (number);
}
