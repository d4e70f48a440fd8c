// Original file: tokenmesh/v1/admin.proto


/**
 * What is empty does not filter.
 */
export interface WatchEventsRequest {
  'kind'?: (string);
  'client_id'?: (string);
}

/**
 * What is empty does not filter.
 */
export interface WatchEventsRequest__Output {
  'kind': (string);
  'client_id': (string);
}
