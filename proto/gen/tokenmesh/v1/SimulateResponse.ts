// Original file: tokenmesh/v1/admin.proto

import type { SimulatedCheck as _tokenmesh_v1_SimulatedCheck, SimulatedCheck__Output as _tokenmesh_v1_SimulatedCheck__Output } from '../../tokenmesh/v1/SimulatedCheck.ts';
import type { Long } from '@grpc/proto-loader';

export interface SimulateResponse {
  'allowed'?: (boolean);
  'checks'?: (_tokenmesh_v1_SimulatedCheck)[];
  'change'?: (string);
  'reason'?: (string);
  'rule'?: (string);
  'scope'?: (string);
  'max_life_seconds'?: (number | string | Long);
}

export interface SimulateResponse__Output {
  'allowed': (boolean);
  'checks': (_tokenmesh_v1_SimulatedCheck__Output)[];
  'change': (string);
  'reason': (string);
  'rule': (string);
  'scope': (string);
  'max_life_seconds': (number);
}
