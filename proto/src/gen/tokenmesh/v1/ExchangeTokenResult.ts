// Original file: tokenmesh/v1/token_exchange.proto

import type { ExchangeTokenResponse as _tokenmesh_v1_ExchangeTokenResponse, ExchangeTokenResponse__Output as _tokenmesh_v1_ExchangeTokenResponse__Output } from '../../tokenmesh/v1/ExchangeTokenResponse.ts';
import type { ExchangeTokenRefusal as _tokenmesh_v1_ExchangeTokenRefusal, ExchangeTokenRefusal__Output as _tokenmesh_v1_ExchangeTokenRefusal__Output } from '../../tokenmesh/v1/ExchangeTokenRefusal.ts';

export interface ExchangeTokenResult {
  'response'?: (_tokenmesh_v1_ExchangeTokenResponse | null);
  'refusal'?: (_tokenmesh_v1_ExchangeTokenRefusal | null);
  'result'?: "response"|"refusal";
}

export interface ExchangeTokenResult__Output {
  'response'?: (_tokenmesh_v1_ExchangeTokenResponse__Output | null);
  'refusal'?: (_tokenmesh_v1_ExchangeTokenRefusal__Output | null);
  'result'?: "response"|"refusal";
}
