// Original file: tokenmesh/v1/admin.proto


/**
 * The claims of a subject token that is valid, live and for the client.
 */
export interface SimulatedSubject {
  'sub'?: (string);
  /**
   * `act`, the current actor first.
   */
  'actors'?: (string)[];
  /**
   * The only one who may act for it; empty: nobody in particular.
   */
  'may_act'?: (string);
  /**
   * Empty: token-exchange itself.
   */
  'issuer'?: (string);
}

/**
 * The claims of a subject token that is valid, live and for the client.
 */
export interface SimulatedSubject__Output {
  'sub': (string);
  /**
   * `act`, the current actor first.
   */
  'actors': (string)[];
  /**
   * The only one who may act for it; empty: nobody in particular.
   */
  'may_act': (string);
  /**
   * Empty: token-exchange itself.
   */
  'issuer': (string);
}
