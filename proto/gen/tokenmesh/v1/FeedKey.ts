// Original file: tokenmesh/v1/revocation_feed.proto


export interface FeedKey {
  'kid'?: (string);
  'kty'?: (string);
  'alg'?: (string);
  'crv'?: (string);
  'x'?: (string);
  'y'?: (string);
}

export interface FeedKey__Output {
  'kid': (string);
  'kty': (string);
  'alg': (string);
  'crv': (string);
  'x': (string);
  'y': (string);
}
