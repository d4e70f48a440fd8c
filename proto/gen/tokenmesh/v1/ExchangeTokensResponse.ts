// Original file: tokenmesh/v1/token_exchange.proto

import type { ExchangeTokenResult as _tokenmesh_v1_ExchangeTokenResult, ExchangeTokenResult__Output as _tokenmesh_v1_ExchangeTokenResult__Output } from '../../tokenmesh/v1/ExchangeTokenResult.ts';

export interface ExchangeTokensResponse {
  'results'?: (_tokenmesh_v1_ExchangeTokenResult)[];
}

export interface ExchangeTokensResponse__Output {
  'results': (_tokenmesh_v1_ExchangeTokenResult__Output)[];
}
