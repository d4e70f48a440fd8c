// Original file: tokenmesh/v1/admin.proto

import type { RevocationTarget as _tokenmesh_v1_RevocationTarget, RevocationTarget__Output as _tokenmesh_v1_RevocationTarget__Output } from '../../tokenmesh/v1/RevocationTarget.ts';

export interface AddRevocationRequest {
  'targets'?: (_tokenmesh_v1_RevocationTarget)[];
  'request_id'?: (string);
  'note'?: (string);
}

export interface AddRevocationRequest__Output {
  'targets': (_tokenmesh_v1_RevocationTarget__Output)[];
  'request_id': (string);
  'note': (string);
}
