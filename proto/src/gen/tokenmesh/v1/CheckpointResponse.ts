// Original file: tokenmesh/v1/revocation_feed.proto


export interface CheckpointResponse {
  'checkpoint'?: (string);
}

export interface CheckpointResponse__Output {
  'checkpoint': (string);
}
