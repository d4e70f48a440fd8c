// Original file: tokenmesh/v1/token_exchange.proto

import type { BindingEvidence as _tokenmesh_v1_BindingEvidence, BindingEvidence__Output as _tokenmesh_v1_BindingEvidence__Output } from '../../tokenmesh/v1/BindingEvidence.ts';
import type { Long } from '@grpc/proto-loader';

/**
 * RFC 7662 section 2.2. Everything but `active` is empty when it is false.
 */
export interface IntrospectTokenResponse {
  'active'?: (boolean);
  'scope'?: (string);
  'client_id'?: (string);
  'token_type'?: (string);
  'exp'?: (number | string | Long);
  'iat'?: (number | string | Long);
  'sub'?: (string);
  'aud'?: (string);
  'iss'?: (string);
  'jti'?: (string);
  'txn'?: (string);
  'rn'?: (number | string | Long);
  'sid'?: (string);
  /**
   * The current actor first.
   */
  'act'?: (string)[];
  'cnf'?: (_tokenmesh_v1_BindingEvidence | null);
  'net'?: (string)[];
}

/**
 * RFC 7662 section 2.2. Everything but `active` is empty when it is false.
 */
export interface IntrospectTokenResponse__Output {
  'active': (boolean);
  'scope': (string);
  'client_id': (string);
  'token_type': (string);
  'exp': (number);
  'iat': (number);
  'sub': (string);
  'aud': (string);
  'iss': (string);
  'jti': (string);
  'txn': (string);
  'rn': (number);
  'sid': (string);
  /**
   * The current actor first.
   */
  'act': (string)[];
  'cnf': (_tokenmesh_v1_BindingEvidence__Output | null);
  'net': (string)[];
}
