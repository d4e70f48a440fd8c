// Original file: tokenmesh/v1/admin.proto

import type { AccessRule as _tokenmesh_v1_AccessRule, AccessRule__Output as _tokenmesh_v1_AccessRule__Output } from '../../tokenmesh/v1/AccessRule.ts';

export interface SimulatedCall {
  /**
   * Full name: `/shop.v1.Payments/Charge`.
   */
  'method'?: (string);
  /**
   * As the method's option `tokenmesh.v1.access` says it.
   */
  'rule'?: (_tokenmesh_v1_AccessRule | null);
}

export interface SimulatedCall__Output {
  /**
   * Full name: `/shop.v1.Payments/Charge`.
   */
  'method': (string);
  /**
   * As the method's option `tokenmesh.v1.access` says it.
   */
  'rule': (_tokenmesh_v1_AccessRule__Output | null);
}
