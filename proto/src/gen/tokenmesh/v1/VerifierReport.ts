// Original file: tokenmesh/v1/revocation_feed.proto

import type { ServedMethods as _tokenmesh_v1_ServedMethods, ServedMethods__Output as _tokenmesh_v1_ServedMethods__Output } from '../../tokenmesh/v1/ServedMethods.ts';
import type { Long } from '@grpc/proto-loader';

export interface VerifierReport {
  /**
   * One running process of the caller.
   */
  'instance'?: (string);
  /**
   * The verifier's freshness F, milliseconds since epoch; 0: never bootstrapped.
   */
  'fresh_at_ms'?: (number | string | Long);
  /**
   * Highest contiguous position applied.
   */
  'n'?: (number | string | Long);
  /**
   * Signing keys that it can verify with.
   */
  'kids'?: (string)[];
  /**
   * Version of the library.
   */
  'version'?: (string);
  /**
   * Name of the path in use: `nats` or `grpc`.
   */
  'path'?: (string);
  /**
   * With the first report on a stream, and again when it changed; absent: as before.
   */
  'served'?: (_tokenmesh_v1_ServedMethods | null);
}

export interface VerifierReport__Output {
  /**
   * One running process of the caller.
   */
  'instance': (string);
  /**
   * The verifier's freshness F, milliseconds since epoch; 0: never bootstrapped.
   */
  'fresh_at_ms': (number);
  /**
   * Highest contiguous position applied.
   */
  'n': (number);
  /**
   * Signing keys that it can verify with.
   */
  'kids': (string)[];
  /**
   * Version of the library.
   */
  'version': (string);
  /**
   * Name of the path in use: `nats` or `grpc`.
   */
  'path': (string);
  /**
   * With the first report on a stream, and again when it changed; absent: as before.
   */
  'served': (_tokenmesh_v1_ServedMethods__Output | null);
}
