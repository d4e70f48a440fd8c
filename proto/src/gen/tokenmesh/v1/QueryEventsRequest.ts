// Original file: tokenmesh/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

/**
 * What is empty or 0 does not filter.
 */
export interface QueryEventsRequest {
  /**
   * Included.
   */
  'since_ms'?: (number | string | Long);
  /**
   * Not included.
   */
  'until_ms'?: (number | string | Long);
  'kind'?: (string);
  'client_id'?: (string);
  'jti'?: (string);
  'txn'?: (string);
  /**
   * At most this many; 0: 100; never more than 1000.
   */
  'page_size'?: (number);
  /**
   * Empty, or the next_page_token of the answer before.
   */
  'page_token'?: (string);
}

/**
 * What is empty or 0 does not filter.
 */
export interface QueryEventsRequest__Output {
  /**
   * Included.
   */
  'since_ms': (number);
  /**
   * Not included.
   */
  'until_ms': (number);
  'kind': (string);
  'client_id': (string);
  'jti': (string);
  'txn': (string);
  /**
   * At most this many; 0: 100; never more than 1000.
   */
  'page_size': (number);
  /**
   * Empty, or the next_page_token of the answer before.
   */
  'page_token': (string);
}
