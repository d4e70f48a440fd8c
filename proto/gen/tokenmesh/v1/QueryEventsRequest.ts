// Original file: tokenmesh/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface QueryEventsRequest {
  'since_ms'?: (number | string | Long);
  'until_ms'?: (number | string | Long);
  'kind'?: (string);
  'client_id'?: (string);
  'jti'?: (string);
  'txn'?: (string);
  'page_size'?: (number);
  'page_token'?: (string);
}

export interface QueryEventsRequest__Output {
  'since_ms': (number);
  'until_ms': (number);
  'kind': (string);
  'client_id': (string);
  'jti': (string);
  'txn': (string);
  'page_size': (number);
  'page_token': (string);
}
