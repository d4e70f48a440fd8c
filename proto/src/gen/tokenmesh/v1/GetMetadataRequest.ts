// Original file: tokenmesh/v1/token_exchange.proto


export interface GetMetadataRequest {
}

export interface GetMetadataRequest__Output {
}
