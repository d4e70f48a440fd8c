// Original file: tokenmesh/v1/revocation_feed.proto


/**
 * The head comes first and alone; then the entries in chunks.
 */
export interface GetSnapshotResponse {
  /**
   * JWS of typ `snapshot+jwt`: epoch, n, H(n), t; `form` of the entries, their `count`, `until` when there are some of each kind, and the SHA-256 of
   * all the chunks' bytes in order.
   */
  'head'?: (string);
  /**
   * Whole entries, 256 KiB of them at most. In the form `hsip64-1` an entry has 24 bytes, little endian, and they ascend by fingerprint:
   * 0-7 fingerprint of kind and value, 8-11 low 32 bits of n, 12-15 of t (seconds), 16-19 of exp (seconds), 20-23 from the lowest 21 high bits of n,
   * 5 of t and 6 of exp. The fingerprint is the HalfSipHash-2-4-64 of the value's UTF-8 bytes; its key is the first 8 bytes of the SHA-256 of
   * `tokenmesh fingerprint`, the epoch and the kind, with a zero byte between them.
   */
  'chunk'?: (Buffer | Uint8Array | string);
  'part'?: "head"|"chunk";
}

/**
 * The head comes first and alone; then the entries in chunks.
 */
export interface GetSnapshotResponse__Output {
  /**
   * JWS of typ `snapshot+jwt`: epoch, n, H(n), t; `form` of the entries, their `count`, `until` when there are some of each kind, and the SHA-256 of
   * all the chunks' bytes in order.
   */
  'head'?: (string);
  /**
   * Whole entries, 256 KiB of them at most. In the form `hsip64-1` an entry has 24 bytes, little endian, and they ascend by fingerprint:
   * 0-7 fingerprint of kind and value, 8-11 low 32 bits of n, 12-15 of t (seconds), 16-19 of exp (seconds), 20-23 from the lowest 21 high bits of n,
   * 5 of t and 6 of exp. The fingerprint is the HalfSipHash-2-4-64 of the value's UTF-8 bytes; its key is the first 8 bytes of the SHA-256 of
   * `tokenmesh fingerprint`, the epoch and the kind, with a zero byte between them.
   */
  'chunk'?: (Buffer);
  'part'?: "head"|"chunk";
}
