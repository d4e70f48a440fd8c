// Original file: tokenmesh/v1/revocation_feed.proto

import type { ServedMethod as _tokenmesh_v1_ServedMethod, ServedMethod__Output as _tokenmesh_v1_ServedMethod__Output } from '../../tokenmesh/v1/ServedMethod.ts';

/**
 * What a server of the caller serves, health excepted.
 */
export interface ServedMethods {
  /**
   * At most 512.
   */
  'methods'?: (_tokenmesh_v1_ServedMethod)[];
}

/**
 * What a server of the caller serves, health excepted.
 */
export interface ServedMethods__Output {
  /**
   * At most 512.
   */
  'methods': (_tokenmesh_v1_ServedMethod__Output)[];
}
