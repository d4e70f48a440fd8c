// Original file: tokenmesh/v1/token_exchange.proto


/**
 * The refusal that the request alone would have met with.
 */
export interface ExchangeTokenRefusal {
  /**
   * As in `google.rpc.ErrorInfo`.
   */
  'reason'?: (string);
  /**
   * RFC 6749 section 5.2.
   */
  'error'?: (string);
}

/**
 * The refusal that the request alone would have met with.
 */
export interface ExchangeTokenRefusal__Output {
  /**
   * As in `google.rpc.ErrorInfo`.
   */
  'reason': (string);
  /**
   * RFC 6749 section 5.2.
   */
  'error': (string);
}
