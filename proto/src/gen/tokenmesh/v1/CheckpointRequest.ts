// Original file: tokenmesh/v1/revocation_feed.proto


export interface CheckpointRequest {
  'nonce'?: (string);
}

export interface CheckpointRequest__Output {
  'nonce': (string);
}
