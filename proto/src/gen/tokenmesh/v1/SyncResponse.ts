// Original file: tokenmesh/v1/revocation_feed.proto


export interface SyncResponse {
  'event'?: (string);
  'checkpoint'?: (string);
  'message'?: "event"|"checkpoint";
}

export interface SyncResponse__Output {
  'event'?: (string);
  'checkpoint'?: (string);
  'message'?: "event"|"checkpoint";
}
