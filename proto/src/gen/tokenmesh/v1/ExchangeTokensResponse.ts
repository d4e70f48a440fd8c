// Original file: tokenmesh/v1/token_exchange.proto

import type { ExchangeTokenResult as _tokenmesh_v1_ExchangeTokenResult, ExchangeTokenResult__Output as _tokenmesh_v1_ExchangeTokenResult__Output } from '../../tokenmesh/v1/ExchangeTokenResult.ts';

export interface ExchangeTokensResponse {
  /**
   * One for each request, in their order.
   */
  'results'?: (_tokenmesh_v1_ExchangeTokenResult)[];
}

export interface ExchangeTokensResponse__Output {
  /**
   * One for each request, in their order.
   */
  'results': (_tokenmesh_v1_ExchangeTokenResult__Output)[];
}
