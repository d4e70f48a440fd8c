// Original file: tokenmesh/v1/token_exchange.proto


export interface GetMetadataResponse {
  'issuer'?: (string);
  'grant_types_supported'?: (string)[];
  'token_endpoint_auth_methods_supported'?: (string)[];
  'token_endpoint_auth_signing_alg_values_supported'?: (string)[];
  'scopes_supported'?: (string)[];
  'audience'?: (string);
}

export interface GetMetadataResponse__Output {
  'issuer': (string);
  'grant_types_supported': (string)[];
  'token_endpoint_auth_methods_supported': (string)[];
  'token_endpoint_auth_signing_alg_values_supported': (string)[];
  'scopes_supported': (string)[];
  'audience': (string);
}
