// Original file: tokenmesh/v1/admin.proto

import type { SigningKey as _tokenmesh_v1_SigningKey, SigningKey__Output as _tokenmesh_v1_SigningKey__Output } from '../../tokenmesh/v1/SigningKey.ts';

export interface ListKeysResponse {
  'keys'?: (_tokenmesh_v1_SigningKey)[];
}

export interface ListKeysResponse__Output {
  'keys': (_tokenmesh_v1_SigningKey__Output)[];
}
