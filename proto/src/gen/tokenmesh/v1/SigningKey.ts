// Original file: tokenmesh/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface SigningKey {
  'kid'?: (string);
  /**
   * `token` or `feed`.
   */
  'purpose'?: (string);
  'alg'?: (string);
  /**
   * `prepared`, `published`, `active`, `retiring` or `withdrawn`.
   */
  'state'?: (string);
  /**
   * When it came into this state.
   */
  'changed_at_ms'?: (number | string | Long);
  /**
   * Of an active key: when its successor is due; 0 for others.
   */
  'rotation_due_ms'?: (number | string | Long);
  /**
   * Of a published token key: the live verifiers that do not know it yet, and so hold up its activation.
   */
  'awaited'?: (string)[];
}

export interface SigningKey__Output {
  'kid': (string);
  /**
   * `token` or `feed`.
   */
  'purpose': (string);
  'alg': (string);
  /**
   * `prepared`, `published`, `active`, `retiring` or `withdrawn`.
   */
  'state': (string);
  /**
   * When it came into this state.
   */
  'changed_at_ms': (number);
  /**
   * Of an active key: when its successor is due; 0 for others.
   */
  'rotation_due_ms': (number);
  /**
   * Of a published token key: the live verifiers that do not know it yet, and so hold up its activation.
   */
  'awaited': (string)[];
}
