// Original file: tokenmesh/v1/stream_credential.proto

import type { Long } from '@grpc/proto-loader';

export interface RenewResponse {
  /**
   * When the stream will end unless it is renewed again: seconds since epoch.
   */
  'exp'?: (number | string | Long);
}

export interface RenewResponse__Output {
  /**
   * When the stream will end unless it is renewed again: seconds since epoch.
   */
  'exp': (number);
}
