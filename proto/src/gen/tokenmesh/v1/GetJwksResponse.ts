// Original file: tokenmesh/v1/token_exchange.proto

import type { Jwk as _tokenmesh_v1_Jwk, Jwk__Output as _tokenmesh_v1_Jwk__Output } from '../../tokenmesh/v1/Jwk.ts';

export interface GetJwksResponse {
  'keys'?: (_tokenmesh_v1_Jwk)[];
  /**
   * Seconds for which the answer may be kept without asking again.
   */
  'max_age'?: (number);
}

export interface GetJwksResponse__Output {
  'keys': (_tokenmesh_v1_Jwk__Output)[];
  /**
   * Seconds for which the answer may be kept without asking again.
   */
  'max_age': (number);
}
