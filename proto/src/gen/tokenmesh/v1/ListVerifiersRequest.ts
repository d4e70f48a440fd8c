// Original file: tokenmesh/v1/admin.proto


export interface ListVerifiersRequest {
}

export interface ListVerifiersRequest__Output {
}
