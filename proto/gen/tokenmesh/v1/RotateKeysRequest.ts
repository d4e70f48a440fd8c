// Original file: tokenmesh/v1/admin.proto


export interface RotateKeysRequest {
  'purpose'?: (string);
}

export interface RotateKeysRequest__Output {
  'purpose': (string);
}
