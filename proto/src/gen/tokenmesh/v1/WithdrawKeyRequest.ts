// Original file: tokenmesh/v1/admin.proto


export interface WithdrawKeyRequest {
  'kid'?: (string);
  /**
   * Makes a repeated request answer as the first one did.
   */
  'request_id'?: (string);
  /**
   * For people: why. Kept in the record, never broadcast.
   */
  'note'?: (string);
}

export interface WithdrawKeyRequest__Output {
  'kid': (string);
  /**
   * Makes a repeated request answer as the first one did.
   */
  'request_id': (string);
  /**
   * For people: why. Kept in the record, never broadcast.
   */
  'note': (string);
}
