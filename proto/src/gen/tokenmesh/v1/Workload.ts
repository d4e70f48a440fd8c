// Original file: tokenmesh/v1/admin.proto


export interface Workload {
  'client_id'?: (string);
  'suspended'?: (boolean);
  /**
   * Identities that it may obtain tokens for.
   */
  'audiences'?: (string)[];
}

export interface Workload__Output {
  'client_id': (string);
  'suspended': (boolean);
  /**
   * Identities that it may obtain tokens for.
   */
  'audiences': (string)[];
}
