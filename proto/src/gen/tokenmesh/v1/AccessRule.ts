// Original file: tokenmesh/v1/access.proto

import type { MethodClass as _tokenmesh_v1_MethodClass, MethodClass__Output as _tokenmesh_v1_MethodClass__Output } from '../../tokenmesh/v1/MethodClass.ts';

/**
 * One of `scopes`, `any_scope`, `any_caller`, `callers` or `public` must be present, so that an empty rule opens nothing. Those that are
 * present must all hold.
 */
export interface AccessRule {
  /**
   * All of these scopes are needed.
   */
  'scopes'?: (string)[];
  /**
   * At least one of these scopes is needed.
   */
  'any_scope'?: (string)[];
  /**
   * No credential is needed. One that is presented is still verified, and a bad one refused.
   */
  'public'?: (boolean);
  /**
   * Only these identities (SPIFFE IDs) may call: compared with the current actor, else with `client_id`.
   */
  'callers'?: (string)[];
  /**
   * The longest act chain that is accepted; absent: no limit of its own.
   */
  'max_act_depth'?: (number);
  /**
   * The token must be bound (`cnf`) and its proof present.
   */
  'require_binding'?: (boolean);
  /**
   * What happens when the verifier has not heard from the revocation feed.
   */
  'class'?: (_tokenmesh_v1_MethodClass);
  /**
   * Overrides the age at which revocation data counts as stale for this method, in milliseconds.
   */
  'max_stale_ms'?: (number);
  /**
   * Any valid token for this audience will do.
   */
  'any_caller'?: (boolean);
  /**
   * Age of revocation data, in milliseconds, up to which a standard method goes on; beyond it the method is as a critical one. Absent: the
   * verifier's own, by default the longest life of a token. Critical methods have none.
   */
  'max_blind_ms'?: (number);
  '_max_act_depth'?: "max_act_depth";
  '_max_stale_ms'?: "max_stale_ms";
  '_max_blind_ms'?: "max_blind_ms";
}

/**
 * One of `scopes`, `any_scope`, `any_caller`, `callers` or `public` must be present, so that an empty rule opens nothing. Those that are
 * present must all hold.
 */
export interface AccessRule__Output {
  /**
   * All of these scopes are needed.
   */
  'scopes': (string)[];
  /**
   * At least one of these scopes is needed.
   */
  'any_scope': (string)[];
  /**
   * No credential is needed. One that is presented is still verified, and a bad one refused.
   */
  'public': (boolean);
  /**
   * Only these identities (SPIFFE IDs) may call: compared with the current actor, else with `client_id`.
   */
  'callers': (string)[];
  /**
   * The longest act chain that is accepted; absent: no limit of its own.
   */
  'max_act_depth'?: (number);
  /**
   * The token must be bound (`cnf`) and its proof present.
   */
  'require_binding': (boolean);
  /**
   * What happens when the verifier has not heard from the revocation feed.
   */
  'class': (_tokenmesh_v1_MethodClass__Output);
  /**
   * Overrides the age at which revocation data counts as stale for this method, in milliseconds.
   */
  'max_stale_ms'?: (number);
  /**
   * Any valid token for this audience will do.
   */
  'any_caller': (boolean);
  /**
   * Age of revocation data, in milliseconds, up to which a standard method goes on; beyond it the method is as a critical one. Absent: the
   * verifier's own, by default the longest life of a token. Critical methods have none.
   */
  'max_blind_ms'?: (number);
  '_max_act_depth'?: "max_act_depth";
  '_max_stale_ms'?: "max_stale_ms";
  '_max_blind_ms'?: "max_blind_ms";
}
