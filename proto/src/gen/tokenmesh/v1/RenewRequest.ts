// Original file: tokenmesh/v1/stream_credential.proto


export interface RenewRequest {
  /**
   * As sent in the stream's response metadata `tokenmesh-stream-id`.
   */
  'stream_id'?: (string);
}

export interface RenewRequest__Output {
  /**
   * As sent in the stream's response metadata `tokenmesh-stream-id`.
   */
  'stream_id': (string);
}
