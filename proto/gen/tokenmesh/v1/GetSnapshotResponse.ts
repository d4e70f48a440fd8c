// Original file: tokenmesh/v1/revocation_feed.proto


export interface GetSnapshotResponse {
  'head'?: (string);
  'chunk'?: (Buffer | Uint8Array | string);
  'part'?: "head"|"chunk";
}

export interface GetSnapshotResponse__Output {
  'head'?: (string);
  'chunk'?: (Buffer);
  'part'?: "head"|"chunk";
}
