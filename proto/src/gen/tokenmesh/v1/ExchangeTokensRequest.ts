// Original file: tokenmesh/v1/token_exchange.proto

import type { ExchangeTokenRequest as _tokenmesh_v1_ExchangeTokenRequest, ExchangeTokenRequest__Output as _tokenmesh_v1_ExchangeTokenRequest__Output } from '../../tokenmesh/v1/ExchangeTokenRequest.ts';

export interface ExchangeTokensRequest {
  'client_id'?: (string);
  'client_assertion_type'?: (string);
  'client_assertion'?: (string);
  'client_secret'?: (string);
  /**
   * 1 to 32, without client authentication of their own.
   */
  'requests'?: (_tokenmesh_v1_ExchangeTokenRequest)[];
}

export interface ExchangeTokensRequest__Output {
  'client_id': (string);
  'client_assertion_type': (string);
  'client_assertion': (string);
  'client_secret': (string);
  /**
   * 1 to 32, without client authentication of their own.
   */
  'requests': (_tokenmesh_v1_ExchangeTokenRequest__Output)[];
}
