// Original file: tokenmesh/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

export interface AuditEvent {
  'chain'?: (number | string | Long);
  'seq'?: (number | string | Long);
  't_ms'?: (number | string | Long);
  'kind'?: (string);
  'who'?: (string);
  'what'?: ({[key: string]: string});
  'decision'?: (string);
  'reason'?: (string);
  'jti'?: (string);
  'txn'?: (string);
  'trace_id'?: (string);
  'count'?: (number | string | Long);
}

export interface AuditEvent__Output {
  'chain': (number);
  'seq': (number);
  't_ms': (number);
  'kind': (string);
  'who': (string);
  'what': ({[key: string]: string});
  'decision': (string);
  'reason': (string);
  'jti': (string);
  'txn': (string);
  'trace_id': (string);
  'count': (number);
}
