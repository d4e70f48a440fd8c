// Original file: tokenmesh/v1/token_exchange.proto


export interface ExchangeTokenResponse {
  'access_token'?: (string);
  'issued_token_type'?: (string);
  /**
   * `Bearer` or `DPoP`.
   */
  'token_type'?: (string);
  /**
   * Seconds, relative to the answer.
   */
  'expires_in'?: (number);
  /**
   * What was granted; may be less than what was asked for.
   */
  'scope'?: (string);
  'refresh_token'?: (string);
  /**
   * Whether the audience takes the token as `tokenmesh-token` metadata as well as `authorization`, so that HTTP/2 need not send it whole on every call (ours).
   */
  'compact_metadata'?: (boolean);
}

export interface ExchangeTokenResponse__Output {
  'access_token': (string);
  'issued_token_type': (string);
  /**
   * `Bearer` or `DPoP`.
   */
  'token_type': (string);
  /**
   * Seconds, relative to the answer.
   */
  'expires_in': (number);
  /**
   * What was granted; may be less than what was asked for.
   */
  'scope': (string);
  'refresh_token': (string);
  /**
   * Whether the audience takes the token as `tokenmesh-token` metadata as well as `authorization`, so that HTTP/2 need not send it whole on every call (ours).
   */
  'compact_metadata': (boolean);
}
