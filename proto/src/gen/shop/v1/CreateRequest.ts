// Original file: shop/v1/orders.proto


export interface CreateRequest {
  'item'?: (string);
  'quantity'?: (number);
}

export interface CreateRequest__Output {
  'item': (string);
  'quantity': (number);
}
