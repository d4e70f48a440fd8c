// Original file: tokenmesh/v1/token_exchange.proto


/**
 * The members of `cnf` that the presenter proved.
 */
export interface BindingEvidence {
  /**
   * RFC 8705 section 3.1.
   */
  'x5t_s256'?: (string);
  /**
   * RFC 9449 section 6.1.
   */
  'jkt'?: (string);
}

/**
 * The members of `cnf` that the presenter proved.
 */
export interface BindingEvidence__Output {
  /**
   * RFC 8705 section 3.1.
   */
  'x5t_s256': (string);
  /**
   * RFC 9449 section 6.1.
   */
  'jkt': (string);
}
