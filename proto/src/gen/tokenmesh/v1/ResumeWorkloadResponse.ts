// Original file: tokenmesh/v1/admin.proto


export interface ResumeWorkloadResponse {
}

export interface ResumeWorkloadResponse__Output {
}
