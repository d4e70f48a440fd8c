// Original file: shop/v1/gateway.proto


export interface PlaceOrderResponse {
  'order_id'?: (string);
  'charge_id'?: (string);
  'chain'?: (string)[];
}

export interface PlaceOrderResponse__Output {
  'order_id': (string);
  'charge_id': (string);
  'chain': (string)[];
}
