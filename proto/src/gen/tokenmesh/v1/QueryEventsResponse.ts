// Original file: tokenmesh/v1/admin.proto

import type { AuditEvent as _tokenmesh_v1_AuditEvent, AuditEvent__Output as _tokenmesh_v1_AuditEvent__Output } from '../../tokenmesh/v1/AuditEvent.ts';

export interface QueryEventsResponse {
  'events'?: (_tokenmesh_v1_AuditEvent)[];
  /**
   * Empty at the end.
   */
  'next_page_token'?: (string);
}

export interface QueryEventsResponse__Output {
  'events': (_tokenmesh_v1_AuditEvent__Output)[];
  /**
   * Empty at the end.
   */
  'next_page_token': (string);
}
