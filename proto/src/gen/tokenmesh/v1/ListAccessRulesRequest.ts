// Original file: tokenmesh/v1/admin.proto


export interface ListAccessRulesRequest {
  /**
   * Of this workload only; empty: of all.
   */
  'client_id'?: (string);
}

export interface ListAccessRulesRequest__Output {
  /**
   * Of this workload only; empty: of all.
   */
  'client_id': (string);
}
