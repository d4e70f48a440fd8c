// Original file: tokenmesh/v1/token_exchange.proto

import type { BindingEvidence as _tokenmesh_v1_BindingEvidence, BindingEvidence__Output as _tokenmesh_v1_BindingEvidence__Output } from '../../tokenmesh/v1/BindingEvidence.ts';

export interface ExchangeTokenRequest {
  'grant_type'?: (string);
  'client_id'?: (string);
  'client_assertion_type'?: (string);
  'client_assertion'?: (string);
  'client_secret'?: (string);
  'audience'?: (string);
  'resource'?: (string);
  'scope'?: (string);
  'requested_token_type'?: (string);
  'subject_token'?: (string);
  'subject_token_type'?: (string);
  'actor_token'?: (string);
  'actor_token_type'?: (string);
  'refresh_token'?: (string);
  'subject_token_binding'?: (_tokenmesh_v1_BindingEvidence | null);
  'actor_token_binding'?: (_tokenmesh_v1_BindingEvidence | null);
}

export interface ExchangeTokenRequest__Output {
  'grant_type': (string);
  'client_id': (string);
  'client_assertion_type': (string);
  'client_assertion': (string);
  'client_secret': (string);
  'audience': (string);
  'resource': (string);
  'scope': (string);
  'requested_token_type': (string);
  'subject_token': (string);
  'subject_token_type': (string);
  'actor_token': (string);
  'actor_token_type': (string);
  'refresh_token': (string);
  'subject_token_binding': (_tokenmesh_v1_BindingEvidence__Output | null);
  'actor_token_binding': (_tokenmesh_v1_BindingEvidence__Output | null);
}
