// Original file: tokenmesh/v1/admin.proto


export interface RotateKeysRequest {
  /**
   * `token` or `feed`.
   */
  'purpose'?: (string);
}

export interface RotateKeysRequest__Output {
  /**
   * `token` or `feed`.
   */
  'purpose': (string);
}
