// Original file: tokenmesh/v1/admin.proto


export interface RevocationTarget {
  /**
   * `token`, `subject`, `client`, `session`, `chain`, `actor`, `grant`, `audience`, `key` or `all`.
   */
  'kind'?: (string);
  /**
   * The jti, sub, client_id, sid, txn, actor's sub, `client_id aud`, aud or kid; empty for `all`.
   */
  'value'?: (string);
}

export interface RevocationTarget__Output {
  /**
   * `token`, `subject`, `client`, `session`, `chain`, `actor`, `grant`, `audience`, `key` or `all`.
   */
  'kind': (string);
  /**
   * The jti, sub, client_id, sid, txn, actor's sub, `client_id aud`, aud or kid; empty for `all`.
   */
  'value': (string);
}
