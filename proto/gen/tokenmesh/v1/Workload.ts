// Original file: tokenmesh/v1/admin.proto


export interface Workload {
  'client_id'?: (string);
  'suspended'?: (boolean);
  'audiences'?: (string)[];
}

export interface Workload__Output {
  'client_id': (string);
  'suspended': (boolean);
  'audiences': (string)[];
}
