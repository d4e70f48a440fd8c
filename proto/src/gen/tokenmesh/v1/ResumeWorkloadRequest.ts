// Original file: tokenmesh/v1/admin.proto


export interface ResumeWorkloadRequest {
  'client_id'?: (string);
}

export interface ResumeWorkloadRequest__Output {
  'client_id': (string);
}
