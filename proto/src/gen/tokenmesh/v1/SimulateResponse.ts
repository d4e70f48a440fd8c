// Original file: tokenmesh/v1/admin.proto

import type { SimulatedCheck as _tokenmesh_v1_SimulatedCheck, SimulatedCheck__Output as _tokenmesh_v1_SimulatedCheck__Output } from '../../tokenmesh/v1/SimulatedCheck.ts';
import type { Long } from '@grpc/proto-loader';

export interface SimulateResponse {
  'allowed'?: (boolean);
  /**
   * In the order in which they are made. The first that fails is the last.
   */
  'checks'?: (_tokenmesh_v1_SimulatedCheck)[];
  /**
   * The one change that lets the failed check pass; empty when nothing failed.
   */
  'change'?: (string);
  /**
   * As a refusal of the same request names it; empty when nothing was refused.
   */
  'reason'?: (string);
  /**
   * The rule of the policy that decided; empty when it was not asked.
   */
  'rule'?: (string);
  /**
   * What the token would hold; empty when there would be none.
   */
  'scope'?: (string);
  /**
   * Longest life of the token in seconds; 0 when there would be none.
   */
  'max_life_seconds'?: (number | string | Long);
}

export interface SimulateResponse__Output {
  'allowed': (boolean);
  /**
   * In the order in which they are made. The first that fails is the last.
   */
  'checks': (_tokenmesh_v1_SimulatedCheck__Output)[];
  /**
   * The one change that lets the failed check pass; empty when nothing failed.
   */
  'change': (string);
  /**
   * As a refusal of the same request names it; empty when nothing was refused.
   */
  'reason': (string);
  /**
   * The rule of the policy that decided; empty when it was not asked.
   */
  'rule': (string);
  /**
   * What the token would hold; empty when there would be none.
   */
  'scope': (string);
  /**
   * Longest life of the token in seconds; 0 when there would be none.
   */
  'max_life_seconds': (number);
}
