// Original file: tokenmesh/v1/admin.proto

import type { Acknowledgement as _tokenmesh_v1_Acknowledgement, Acknowledgement__Output as _tokenmesh_v1_Acknowledgement__Output } from '../../tokenmesh/v1/Acknowledgement.ts';

export interface SuspendWorkloadResponse {
  'acknowledgement'?: (_tokenmesh_v1_Acknowledgement | null);
}

export interface SuspendWorkloadResponse__Output {
  'acknowledgement': (_tokenmesh_v1_Acknowledgement__Output | null);
}
