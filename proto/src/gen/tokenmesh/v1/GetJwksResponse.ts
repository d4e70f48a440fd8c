// Original file: tokenmesh/v1/token_exchange.proto

import type { Jwk as _tokenmesh_v1_Jwk, Jwk__Output as _tokenmesh_v1_Jwk__Output } from '../../tokenmesh/v1/Jwk.ts';
import type { Long } from '@grpc/proto-loader';

export interface GetJwksResponse {
  'keys'?: (_tokenmesh_v1_Jwk)[];
  /**
   * Seconds for which the answer may be kept without asking again.
   */
  'max_age'?: (number);
  /**
   * Of the keys: grows with every change of them. Checkpoints name it, so that a verifier asks again at once.
   */
  'version'?: (number | string | Long);
}

export interface GetJwksResponse__Output {
  'keys': (_tokenmesh_v1_Jwk__Output)[];
  /**
   * Seconds for which the answer may be kept without asking again.
   */
  'max_age': (number);
  /**
   * Of the keys: grows with every change of them. Checkpoints name it, so that a verifier asks again at once.
   */
  'version': (number);
}
