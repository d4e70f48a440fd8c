// Original file: tokenmesh/v1/admin.proto

import type { RevocationTarget as _tokenmesh_v1_RevocationTarget, RevocationTarget__Output as _tokenmesh_v1_RevocationTarget__Output } from '../../tokenmesh/v1/RevocationTarget.ts';

export interface AddRevocationRequest {
  /**
   * 1 to 500.
   */
  'targets'?: (_tokenmesh_v1_RevocationTarget)[];
  /**
   * Makes a repeated request answer as the first one did.
   */
  'request_id'?: (string);
  /**
   * For people: why. Kept in the record, never broadcast.
   */
  'note'?: (string);
}

export interface AddRevocationRequest__Output {
  /**
   * 1 to 500.
   */
  'targets': (_tokenmesh_v1_RevocationTarget__Output)[];
  /**
   * Makes a repeated request answer as the first one did.
   */
  'request_id': (string);
  /**
   * For people: why. Kept in the record, never broadcast.
   */
  'note': (string);
}
