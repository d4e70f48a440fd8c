// Original file: tokenmesh/v1/admin.proto

import type { SimulatedSubject as _tokenmesh_v1_SimulatedSubject, SimulatedSubject__Output as _tokenmesh_v1_SimulatedSubject__Output } from '../../tokenmesh/v1/SimulatedSubject.ts';
import type { SimulatedCall as _tokenmesh_v1_SimulatedCall, SimulatedCall__Output as _tokenmesh_v1_SimulatedCall__Output } from '../../tokenmesh/v1/SimulatedCall.ts';

export interface SimulateRequest {
  /**
   * The workload that asks.
   */
  'client_id'?: (string);
  /**
   * `client_credentials` or `urn:ietf:params:oauth:grant-type:token-exchange`.
   */
  'grant_type'?: (string);
  'audience'?: (string);
  /**
   * Scope tokens separated by blanks; empty: everything that is allowed.
   */
  'scope'?: (string);
  /**
   * On whose behalf; with the token-exchange grant only.
   */
  'subject'?: (_tokenmesh_v1_SimulatedSubject | null);
  /**
   * A call with the token, of a service that is its audience; absent: the token alone.
   */
  'call'?: (_tokenmesh_v1_SimulatedCall | null);
}

export interface SimulateRequest__Output {
  /**
   * The workload that asks.
   */
  'client_id': (string);
  /**
   * `client_credentials` or `urn:ietf:params:oauth:grant-type:token-exchange`.
   */
  'grant_type': (string);
  'audience': (string);
  /**
   * Scope tokens separated by blanks; empty: everything that is allowed.
   */
  'scope': (string);
  /**
   * On whose behalf; with the token-exchange grant only.
   */
  'subject': (_tokenmesh_v1_SimulatedSubject__Output | null);
  /**
   * A call with the token, of a service that is its audience; absent: the token alone.
   */
  'call': (_tokenmesh_v1_SimulatedCall__Output | null);
}
