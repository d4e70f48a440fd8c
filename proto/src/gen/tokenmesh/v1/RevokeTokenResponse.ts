// Original file: tokenmesh/v1/token_exchange.proto

import type { Acknowledgement as _tokenmesh_v1_Acknowledgement, Acknowledgement__Output as _tokenmesh_v1_Acknowledgement__Output } from '../../tokenmesh/v1/Acknowledgement.ts';

export interface RevokeTokenResponse {
  /**
   * Absent when there was nothing to revoke.
   */
  'acknowledgement'?: (_tokenmesh_v1_Acknowledgement | null);
}

export interface RevokeTokenResponse__Output {
  /**
   * Absent when there was nothing to revoke.
   */
  'acknowledgement': (_tokenmesh_v1_Acknowledgement__Output | null);
}
