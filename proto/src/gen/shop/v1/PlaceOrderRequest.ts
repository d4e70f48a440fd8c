// Original file: shop/v1/gateway.proto


export interface PlaceOrderRequest {
  'item'?: (string);
  'quantity'?: (number);
}

export interface PlaceOrderRequest__Output {
  'item': (string);
  'quantity': (number);
}
