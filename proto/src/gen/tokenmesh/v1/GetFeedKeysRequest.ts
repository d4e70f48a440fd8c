// Original file: tokenmesh/v1/revocation_feed.proto


export interface GetFeedKeysRequest {
}

export interface GetFeedKeysRequest__Output {
}
