// Original file: shop/v1/payments.proto


export interface RefundRequest {
  'charge_id'?: (string);
}

export interface RefundRequest__Output {
  'charge_id': (string);
}
