// Original file: shop/v1/gateway.proto


export interface PlaceOrderResponse {
  'order_id'?: (string);
  'charge_id'?: (string);
  /**
   * Who the payment was charged for, as the last hop saw it, then every actor from the current one back.
   */
  'chain'?: (string)[];
}

export interface PlaceOrderResponse__Output {
  'order_id': (string);
  'charge_id': (string);
  /**
   * Who the payment was charged for, as the last hop saw it, then every actor from the current one back.
   */
  'chain': (string)[];
}
