// Original file: tokenmesh/v1/stream_credential.proto

import type { Long } from '@grpc/proto-loader';

export interface RenewResponse {
  'exp'?: (number | string | Long);
}

export interface RenewResponse__Output {
  'exp': (number);
}
