// Original file: tokenmesh/v1/revocation_feed.proto


export interface GetSnapshotRequest {
}

export interface GetSnapshotRequest__Output {
}
