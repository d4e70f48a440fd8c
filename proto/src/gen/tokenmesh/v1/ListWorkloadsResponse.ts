// Original file: tokenmesh/v1/admin.proto

import type { Workload as _tokenmesh_v1_Workload, Workload__Output as _tokenmesh_v1_Workload__Output } from '../../tokenmesh/v1/Workload.ts';

export interface ListWorkloadsResponse {
  'workloads'?: (_tokenmesh_v1_Workload)[];
}

export interface ListWorkloadsResponse__Output {
  'workloads': (_tokenmesh_v1_Workload__Output)[];
}
