// Original file: tokenmesh/v1/token_exchange.proto


export interface ExchangeTokenRefusal {
  'reason'?: (string);
  'error'?: (string);
}

export interface ExchangeTokenRefusal__Output {
  'reason': (string);
  'error': (string);
}
