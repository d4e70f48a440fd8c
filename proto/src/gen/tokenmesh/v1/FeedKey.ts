// Original file: tokenmesh/v1/revocation_feed.proto


/**
 * An ES256 or EdDSA public key as RFC 7517 JSON members.
 */
export interface FeedKey {
  'kid'?: (string);
  'kty'?: (string);
  'alg'?: (string);
  'crv'?: (string);
  'x'?: (string);
  'y'?: (string);
}

/**
 * An ES256 or EdDSA public key as RFC 7517 JSON members.
 */
export interface FeedKey__Output {
  'kid': (string);
  'kty': (string);
  'alg': (string);
  'crv': (string);
  'x': (string);
  'y': (string);
}
