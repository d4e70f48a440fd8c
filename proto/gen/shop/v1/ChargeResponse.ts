// Original file: shop/v1/payments.proto


export interface ChargeResponse {
  'charge_id'?: (string);
  'chain'?: (string)[];
}

export interface ChargeResponse__Output {
  'charge_id': (string);
  'chain': (string)[];
}
