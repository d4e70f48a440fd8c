// Original file: tokenmesh/v1/admin.proto

import type { AuditEvent as _tokenmesh_v1_AuditEvent, AuditEvent__Output as _tokenmesh_v1_AuditEvent__Output } from '../../tokenmesh/v1/AuditEvent.ts';

export interface WatchEventsResponse {
  'event'?: (_tokenmesh_v1_AuditEvent | null);
}

export interface WatchEventsResponse__Output {
  'event': (_tokenmesh_v1_AuditEvent__Output | null);
}
