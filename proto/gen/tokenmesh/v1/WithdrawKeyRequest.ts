// Original file: tokenmesh/v1/admin.proto


export interface WithdrawKeyRequest {
  'kid'?: (string);
  'request_id'?: (string);
  'note'?: (string);
}

export interface WithdrawKeyRequest__Output {
  'kid': (string);
  'request_id': (string);
  'note': (string);
}
