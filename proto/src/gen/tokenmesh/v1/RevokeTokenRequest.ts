// Original file: tokenmesh/v1/token_exchange.proto


export interface RevokeTokenRequest {
  'token'?: (string);
  'token_type_hint'?: (string);
  'client_id'?: (string);
  'client_assertion_type'?: (string);
  'client_assertion'?: (string);
  'client_secret'?: (string);
  /**
   * Revokes the whole call chain (`txn`) that the token belongs to, not the token alone (ours).
   */
  'cascade'?: (boolean);
  /**
   * Makes a repeated request answer as the first one did (ours).
   */
  'request_id'?: (string);
}

export interface RevokeTokenRequest__Output {
  'token': (string);
  'token_type_hint': (string);
  'client_id': (string);
  'client_assertion_type': (string);
  'client_assertion': (string);
  'client_secret': (string);
  /**
   * Revokes the whole call chain (`txn`) that the token belongs to, not the token alone (ours).
   */
  'cascade': (boolean);
  /**
   * Makes a repeated request answer as the first one did (ours).
   */
  'request_id': (string);
}
