// Original file: tokenmesh/v1/revocation_feed.proto

import type { Long } from '@grpc/proto-loader';

export interface VerifierReport {
  'instance'?: (string);
  'fresh_at_ms'?: (number | string | Long);
  'n'?: (number | string | Long);
  'kids'?: (string)[];
  'version'?: (string);
  'path'?: (string);
}

export interface VerifierReport__Output {
  'instance': (string);
  'fresh_at_ms': (number);
  'n': (number);
  'kids': (string)[];
  'version': (string);
  'path': (string);
}
