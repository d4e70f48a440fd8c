// Original file: tokenmesh/v1/admin.proto

import type { AccessRule as _tokenmesh_v1_AccessRule, AccessRule__Output as _tokenmesh_v1_AccessRule__Output } from '../../tokenmesh/v1/AccessRule.ts';

export interface ReportedAccessRule {
  /**
   * The workload that serves the method, and is the audience of tokens for it.
   */
  'client_id'?: (string);
  /**
   * Full name: `/shop.v1.Payments/Charge`.
   */
  'method'?: (string);
  'rule'?: (_tokenmesh_v1_AccessRule | null);
  /**
   * How many of its running processes judge by it. While a change is rolled out, a method has several rules.
   */
  'instances'?: (number);
}

export interface ReportedAccessRule__Output {
  /**
   * The workload that serves the method, and is the audience of tokens for it.
   */
  'client_id': (string);
  /**
   * Full name: `/shop.v1.Payments/Charge`.
   */
  'method': (string);
  'rule': (_tokenmesh_v1_AccessRule__Output | null);
  /**
   * How many of its running processes judge by it. While a change is rolled out, a method has several rules.
   */
  'instances': (number);
}
