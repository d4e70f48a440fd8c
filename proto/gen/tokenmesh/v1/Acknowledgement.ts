// Original file: tokenmesh/v1/token_exchange.proto

import type { Broadcast as _tokenmesh_v1_Broadcast, Broadcast__Output as _tokenmesh_v1_Broadcast__Output } from '../../tokenmesh/v1/Broadcast.ts';
import type { Long } from '@grpc/proto-loader';

export interface Acknowledgement {
  'n'?: (number | string | Long);
  'acknowledged_at_ms'?: (number | string | Long);
  'broadcast'?: (_tokenmesh_v1_Broadcast);
}

export interface Acknowledgement__Output {
  'n': (number);
  'acknowledged_at_ms': (number);
  'broadcast': (_tokenmesh_v1_Broadcast__Output);
}
