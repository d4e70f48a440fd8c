// Original file: tokenmesh/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface ListRevocationsRequest {
  'page_size'?: (number);
  'before'?: (number | string | Long);
}

export interface ListRevocationsRequest__Output {
  'page_size': (number);
  'before': (number);
}
