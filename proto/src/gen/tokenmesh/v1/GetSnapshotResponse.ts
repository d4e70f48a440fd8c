// Original file: tokenmesh/v1/revocation_feed.proto


/**
 * The head comes first and alone; then the entries in chunks.
 */
export interface GetSnapshotResponse {
  /**
   * JWS of typ `snapshot+jwt`: epoch, n, H(n), t, and the SHA-256 of all the chunks' bytes in order.
   */
  'head'?: (string);
  /**
   * A serialized SnapshotEntries.
   */
  'chunk'?: (Buffer | Uint8Array | string);
  'part'?: "head"|"chunk";
}

/**
 * The head comes first and alone; then the entries in chunks.
 */
export interface GetSnapshotResponse__Output {
  /**
   * JWS of typ `snapshot+jwt`: epoch, n, H(n), t, and the SHA-256 of all the chunks' bytes in order.
   */
  'head'?: (string);
  /**
   * A serialized SnapshotEntries.
   */
  'chunk'?: (Buffer);
  'part'?: "head"|"chunk";
}
