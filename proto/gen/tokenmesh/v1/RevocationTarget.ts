// Original file: tokenmesh/v1/admin.proto


export interface RevocationTarget {
  'kind'?: (string);
  'value'?: (string);
}

export interface RevocationTarget__Output {
  'kind': (string);
  'value': (string);
}
