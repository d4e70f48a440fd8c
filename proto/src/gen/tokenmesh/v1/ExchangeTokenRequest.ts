// Original file: tokenmesh/v1/token_exchange.proto

import type { BindingEvidence as _tokenmesh_v1_BindingEvidence, BindingEvidence__Output as _tokenmesh_v1_BindingEvidence__Output } from '../../tokenmesh/v1/BindingEvidence.ts';

export interface ExchangeTokenRequest {
  /**
   * `client_credentials`, `urn:ietf:params:oauth:grant-type:token-exchange` or `refresh_token`.
   */
  'grant_type'?: (string);
  'client_id'?: (string);
  'client_assertion_type'?: (string);
  'client_assertion'?: (string);
  'client_secret'?: (string);
  /**
   * Logical name of the target: the SPIFFE ID of a workload. Exactly one of `audience` and `resource`.
   */
  'audience'?: (string);
  'resource'?: (string);
  /**
   * Space-separated (RFC 6749 section 3.3). Empty: everything that the grant allows.
   */
  'scope'?: (string);
  'requested_token_type'?: (string);
  'subject_token'?: (string);
  'subject_token_type'?: (string);
  'actor_token'?: (string);
  'actor_token_type'?: (string);
  'refresh_token'?: (string);
  /**
   * The evidence that the client verified when it received a bound subject token (ours).
   */
  'subject_token_binding'?: (_tokenmesh_v1_BindingEvidence | null);
  /**
   * The same for a bound actor token (ours).
   */
  'actor_token_binding'?: (_tokenmesh_v1_BindingEvidence | null);
}

export interface ExchangeTokenRequest__Output {
  /**
   * `client_credentials`, `urn:ietf:params:oauth:grant-type:token-exchange` or `refresh_token`.
   */
  'grant_type': (string);
  'client_id': (string);
  'client_assertion_type': (string);
  'client_assertion': (string);
  'client_secret': (string);
  /**
   * Logical name of the target: the SPIFFE ID of a workload. Exactly one of `audience` and `resource`.
   */
  'audience': (string);
  'resource': (string);
  /**
   * Space-separated (RFC 6749 section 3.3). Empty: everything that the grant allows.
   */
  'scope': (string);
  'requested_token_type': (string);
  'subject_token': (string);
  'subject_token_type': (string);
  'actor_token': (string);
  'actor_token_type': (string);
  'refresh_token': (string);
  /**
   * The evidence that the client verified when it received a bound subject token (ours).
   */
  'subject_token_binding': (_tokenmesh_v1_BindingEvidence__Output | null);
  /**
   * The same for a bound actor token (ours).
   */
  'actor_token_binding': (_tokenmesh_v1_BindingEvidence__Output | null);
}
