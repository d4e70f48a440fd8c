// Original file: tokenmesh/v1/token_exchange.proto


export interface GetJwksRequest {
}

export interface GetJwksRequest__Output {
}
