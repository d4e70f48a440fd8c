// Original file: tokenmesh/v1/stream_credential.proto


export interface RenewRequest {
  'stream_id'?: (string);
}

export interface RenewRequest__Output {
  'stream_id': (string);
}
