// Original file: shop/v1/payments.proto


export interface ChargeResponse {
  'charge_id'?: (string);
  /**
   * The subject, then every actor from the current one back.
   */
  'chain'?: (string)[];
}

export interface ChargeResponse__Output {
  'charge_id': (string);
  /**
   * The subject, then every actor from the current one back.
   */
  'chain': (string)[];
}
