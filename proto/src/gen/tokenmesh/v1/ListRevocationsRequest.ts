// Original file: tokenmesh/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface ListRevocationsRequest {
  /**
   * At most this many; 0: 100.
   */
  'page_size'?: (number);
  /**
   * Only those below this position; 0: from the newest.
   */
  'before'?: (number | string | Long);
}

export interface ListRevocationsRequest__Output {
  /**
   * At most this many; 0: 100.
   */
  'page_size': (number);
  /**
   * Only those below this position; 0: from the newest.
   */
  'before': (number);
}
