// Original file: tokenmesh/v1/token_exchange.proto


/**
 * RFC 7517, public members only.
 */
export interface Jwk {
  'kid'?: (string);
  'kty'?: (string);
  'alg'?: (string);
  'use'?: (string);
  'crv'?: (string);
  'x'?: (string);
  'y'?: (string);
  'n'?: (string);
  'e'?: (string);
}

/**
 * RFC 7517, public members only.
 */
export interface Jwk__Output {
  'kid': (string);
  'kty': (string);
  'alg': (string);
  'use': (string);
  'crv': (string);
  'x': (string);
  'y': (string);
  'n': (string);
  'e': (string);
}
