// Original file: tokenmesh/v1/token_exchange.proto

import type { Broadcast as _tokenmesh_v1_Broadcast, Broadcast__Output as _tokenmesh_v1_Broadcast__Output } from '../../tokenmesh/v1/Broadcast.ts';
import type { Long } from '@grpc/proto-loader';

/**
 * A revocation that is durable.
 */
export interface Acknowledgement {
  /**
   * Position of the event in the revocation log.
   */
  'n'?: (number | string | Long);
  /**
   * Milliseconds since epoch.
   */
  'acknowledged_at_ms'?: (number | string | Long);
  'broadcast'?: (_tokenmesh_v1_Broadcast);
}

/**
 * A revocation that is durable.
 */
export interface Acknowledgement__Output {
  /**
   * Position of the event in the revocation log.
   */
  'n': (number);
  /**
   * Milliseconds since epoch.
   */
  'acknowledged_at_ms': (number);
  'broadcast': (_tokenmesh_v1_Broadcast__Output);
}
