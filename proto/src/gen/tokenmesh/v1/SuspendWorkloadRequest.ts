// Original file: tokenmesh/v1/admin.proto


export interface SuspendWorkloadRequest {
  'client_id'?: (string);
  'request_id'?: (string);
  'note'?: (string);
}

export interface SuspendWorkloadRequest__Output {
  'client_id': (string);
  'request_id': (string);
  'note': (string);
}
