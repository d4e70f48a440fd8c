// Original file: tokenmesh/v1/token_exchange.proto


/**
 * RFC 8414 section 2.
 */
export interface GetMetadataResponse {
  'issuer'?: (string);
  'grant_types_supported'?: (string)[];
  'token_endpoint_auth_methods_supported'?: (string)[];
  'token_endpoint_auth_signing_alg_values_supported'?: (string)[];
  'scopes_supported'?: (string)[];
  /**
   * The identity under which token-exchange itself is an audience (ours).
   */
  'audience'?: (string);
  /**
   * RFC 9449 section 5.1. Of the proofs of token requests.
   */
  'dpop_signing_alg_values_supported'?: (string)[];
  /**
   * RFC 8705 section 3.3. Whether clients can present certificates at all.
   */
  'tls_client_certificate_bound_access_tokens'?: (boolean);
}

/**
 * RFC 8414 section 2.
 */
export interface GetMetadataResponse__Output {
  'issuer': (string);
  'grant_types_supported': (string)[];
  'token_endpoint_auth_methods_supported': (string)[];
  'token_endpoint_auth_signing_alg_values_supported': (string)[];
  'scopes_supported': (string)[];
  /**
   * The identity under which token-exchange itself is an audience (ours).
   */
  'audience': (string);
  /**
   * RFC 9449 section 5.1. Of the proofs of token requests.
   */
  'dpop_signing_alg_values_supported': (string)[];
  /**
   * RFC 8705 section 3.3. Whether clients can present certificates at all.
   */
  'tls_client_certificate_bound_access_tokens': (boolean);
}
