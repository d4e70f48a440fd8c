// Original file: tokenmesh/v1/revocation_feed.proto

import type { AccessRule as _tokenmesh_v1_AccessRule, AccessRule__Output as _tokenmesh_v1_AccessRule__Output } from '../../tokenmesh/v1/AccessRule.ts';

export interface ServedMethod {
  /**
   * Full name: `/shop.v1.Payments/Charge`.
   */
  'method'?: (string);
  /**
   * As callers are judged by it there.
   */
  'rule'?: (_tokenmesh_v1_AccessRule | null);
}

export interface ServedMethod__Output {
  /**
   * Full name: `/shop.v1.Payments/Charge`.
   */
  'method': (string);
  /**
   * As callers are judged by it there.
   */
  'rule': (_tokenmesh_v1_AccessRule__Output | null);
}
