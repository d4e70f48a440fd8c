// Original file: tokenmesh/v1/admin.proto


export interface SimulatedSubject {
  'sub'?: (string);
  'actors'?: (string)[];
  'may_act'?: (string);
  'issuer'?: (string);
}

export interface SimulatedSubject__Output {
  'sub': (string);
  'actors': (string)[];
  'may_act': (string);
  'issuer': (string);
}
