// Original file: tokenmesh/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface SigningKey {
  'kid'?: (string);
  'purpose'?: (string);
  'alg'?: (string);
  'state'?: (string);
  'changed_at_ms'?: (number | string | Long);
  'rotation_due_ms'?: (number | string | Long);
  'awaited'?: (string)[];
}

export interface SigningKey__Output {
  'kid': (string);
  'purpose': (string);
  'alg': (string);
  'state': (string);
  'changed_at_ms': (number);
  'rotation_due_ms': (number);
  'awaited': (string)[];
}
