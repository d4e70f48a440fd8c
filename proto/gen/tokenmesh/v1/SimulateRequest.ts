// Original file: tokenmesh/v1/admin.proto

import type { SimulatedSubject as _tokenmesh_v1_SimulatedSubject, SimulatedSubject__Output as _tokenmesh_v1_SimulatedSubject__Output } from '../../tokenmesh/v1/SimulatedSubject.ts';
import type { SimulatedCall as _tokenmesh_v1_SimulatedCall, SimulatedCall__Output as _tokenmesh_v1_SimulatedCall__Output } from '../../tokenmesh/v1/SimulatedCall.ts';

export interface SimulateRequest {
  'client_id'?: (string);
  'grant_type'?: (string);
  'audience'?: (string);
  'scope'?: (string);
  'subject'?: (_tokenmesh_v1_SimulatedSubject | null);
  'call'?: (_tokenmesh_v1_SimulatedCall | null);
}

export interface SimulateRequest__Output {
  'client_id': (string);
  'grant_type': (string);
  'audience': (string);
  'scope': (string);
  'subject': (_tokenmesh_v1_SimulatedSubject__Output | null);
  'call': (_tokenmesh_v1_SimulatedCall__Output | null);
}
