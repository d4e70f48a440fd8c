// Original file: tokenmesh/v1/admin.proto

import type { ReportedAccessRule as _tokenmesh_v1_ReportedAccessRule, ReportedAccessRule__Output as _tokenmesh_v1_ReportedAccessRule__Output } from '../../tokenmesh/v1/ReportedAccessRule.ts';

export interface ListAccessRulesResponse {
  /**
   * By workload, then by method.
   */
  'rules'?: (_tokenmesh_v1_ReportedAccessRule)[];
}

export interface ListAccessRulesResponse__Output {
  /**
   * By workload, then by method.
   */
  'rules': (_tokenmesh_v1_ReportedAccessRule__Output)[];
}
