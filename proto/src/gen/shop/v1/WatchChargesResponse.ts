// Original file: shop/v1/payments.proto


export interface WatchChargesResponse {
  'charge_id'?: (string);
  'amount_cents'?: (number);
}

export interface WatchChargesResponse__Output {
  'charge_id': (string);
  'amount_cents': (number);
}
