// Original file: tokenmesh/v1/admin.proto

import type { Revocation as _tokenmesh_v1_Revocation, Revocation__Output as _tokenmesh_v1_Revocation__Output } from '../../tokenmesh/v1/Revocation.ts';

export interface ListRevocationsResponse {
  'revocations'?: (_tokenmesh_v1_Revocation)[];
}

export interface ListRevocationsResponse__Output {
  'revocations': (_tokenmesh_v1_Revocation__Output)[];
}
