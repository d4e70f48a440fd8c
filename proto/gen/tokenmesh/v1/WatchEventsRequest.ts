// Original file: tokenmesh/v1/admin.proto


export interface WatchEventsRequest {
  'kind'?: (string);
  'client_id'?: (string);
}

export interface WatchEventsRequest__Output {
  'kind': (string);
  'client_id': (string);
}
