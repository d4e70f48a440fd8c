// Original file: tokenmesh/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface Verifier {
  'client_id'?: (string);
  'instance'?: (string);
  'reported_at_ms'?: (number | string | Long);
  'fresh_at_ms'?: (number | string | Long);
  'n'?: (number | string | Long);
  'kids'?: (string)[];
  'version'?: (string);
  'path'?: (string);
}

export interface Verifier__Output {
  'client_id': (string);
  'instance': (string);
  'reported_at_ms': (number);
  'fresh_at_ms': (number);
  'n': (number);
  'kids': (string)[];
  'version': (string);
  'path': (string);
}
