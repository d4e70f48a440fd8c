// Original file: tokenmesh/v1/admin.proto

import type { Acknowledgement as _tokenmesh_v1_Acknowledgement, Acknowledgement__Output as _tokenmesh_v1_Acknowledgement__Output } from '../../tokenmesh/v1/Acknowledgement.ts';

export interface WithdrawKeyResponse {
  'acknowledgement'?: (_tokenmesh_v1_Acknowledgement | null);
  /**
   * The key of the same purpose that signs now.
   */
  'active_kid'?: (string);
}

export interface WithdrawKeyResponse__Output {
  'acknowledgement': (_tokenmesh_v1_Acknowledgement__Output | null);
  /**
   * The key of the same purpose that signs now.
   */
  'active_kid': (string);
}
