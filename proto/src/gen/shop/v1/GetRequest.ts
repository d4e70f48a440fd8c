// Original file: shop/v1/orders.proto


export interface GetRequest {
  'order_id'?: (string);
}

export interface GetRequest__Output {
  'order_id': (string);
}
