// Original file: tokenmesh/v1/token_exchange.proto


export interface ExchangeTokenResponse {
  'access_token'?: (string);
  'issued_token_type'?: (string);
  'token_type'?: (string);
  'expires_in'?: (number);
  'scope'?: (string);
  'refresh_token'?: (string);
}

export interface ExchangeTokenResponse__Output {
  'access_token': (string);
  'issued_token_type': (string);
  'token_type': (string);
  'expires_in': (number);
  'scope': (string);
  'refresh_token': (string);
}
