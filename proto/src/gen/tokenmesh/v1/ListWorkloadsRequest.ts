// Original file: tokenmesh/v1/admin.proto


export interface ListWorkloadsRequest {
}

export interface ListWorkloadsRequest__Output {
}
