// Original file: tokenmesh/v1/admin.proto

import type { Verifier as _tokenmesh_v1_Verifier, Verifier__Output as _tokenmesh_v1_Verifier__Output } from '../../tokenmesh/v1/Verifier.ts';

export interface ListVerifiersResponse {
  'verifiers'?: (_tokenmesh_v1_Verifier)[];
}

export interface ListVerifiersResponse__Output {
  'verifiers': (_tokenmesh_v1_Verifier__Output)[];
}
