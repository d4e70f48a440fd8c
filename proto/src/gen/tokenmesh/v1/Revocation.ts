// Original file: tokenmesh/v1/admin.proto

import type { RevocationTarget as _tokenmesh_v1_RevocationTarget, RevocationTarget__Output as _tokenmesh_v1_RevocationTarget__Output } from '../../tokenmesh/v1/RevocationTarget.ts';
import type { Long } from '@grpc/proto-loader';

export interface Revocation {
  'target'?: (_tokenmesh_v1_RevocationTarget | null);
  'n'?: (number | string | Long);
  'revoked_at_ms'?: (number | string | Long);
  /**
   * Seconds since epoch.
   */
  'exp'?: (number | string | Long);
  /**
   * The identity that asked for it.
   */
  'revoked_by'?: (string);
  'note'?: (string);
}

export interface Revocation__Output {
  'target': (_tokenmesh_v1_RevocationTarget__Output | null);
  'n': (number);
  'revoked_at_ms': (number);
  /**
   * Seconds since epoch.
   */
  'exp': (number);
  /**
   * The identity that asked for it.
   */
  'revoked_by': (string);
  'note': (string);
}
