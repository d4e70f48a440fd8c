// Original file: tokenmesh/v1/admin.proto


export interface RotateKeysResponse {
  'active_kid'?: (string);
  'next_kid'?: (string);
}

export interface RotateKeysResponse__Output {
  'active_kid': (string);
  'next_kid': (string);
}
