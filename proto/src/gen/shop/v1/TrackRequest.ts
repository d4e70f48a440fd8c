// Original file: shop/v1/orders.proto


export interface TrackRequest {
  'order_id'?: (string);
}

export interface TrackRequest__Output {
  'order_id': (string);
}
