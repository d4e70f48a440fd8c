// Original file: tokenmesh/v1/admin.proto


export interface RotateKeysResponse {
  /**
   * The key that signs until then.
   */
  'active_kid'?: (string);
  /**
   * The key that follows it; empty while it is being made.
   */
  'next_kid'?: (string);
}

export interface RotateKeysResponse__Output {
  /**
   * The key that signs until then.
   */
  'active_kid': (string);
  /**
   * The key that follows it; empty while it is being made.
   */
  'next_kid': (string);
}
