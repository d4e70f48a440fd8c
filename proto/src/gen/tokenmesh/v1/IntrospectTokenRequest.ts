// Original file: tokenmesh/v1/token_exchange.proto


export interface IntrospectTokenRequest {
  'token'?: (string);
  'token_type_hint'?: (string);
  'client_id'?: (string);
  'client_assertion_type'?: (string);
  'client_assertion'?: (string);
  'client_secret'?: (string);
}

export interface IntrospectTokenRequest__Output {
  'token': (string);
  'token_type_hint': (string);
  'client_id': (string);
  'client_assertion_type': (string);
  'client_assertion': (string);
  'client_secret': (string);
}
