// Original file: shop/v1/payments.proto


export interface ChargeRequest {
  'order_id'?: (string);
  'amount_cents'?: (number);
}

export interface ChargeRequest__Output {
  'order_id': (string);
  'amount_cents': (number);
}
