// Original file: tokenmesh/v1/revocation_feed.proto


export interface SyncResponse {
  'event'?: (string);
  'checkpoint'?: (string);
  /**
   * Of an event: which span published it (W3C Trace Context), for telemetry alone; empty where that is not known or not sampled.
   */
  'traceparent'?: (string);
  'message'?: "event"|"checkpoint";
}

export interface SyncResponse__Output {
  'event'?: (string);
  'checkpoint'?: (string);
  /**
   * Of an event: which span published it (W3C Trace Context), for telemetry alone; empty where that is not known or not sampled.
   */
  'traceparent': (string);
  'message'?: "event"|"checkpoint";
}
