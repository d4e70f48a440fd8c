// Original file: tokenmesh/v1/revocation_feed.proto

import type { SnapshotEntry as _tokenmesh_v1_SnapshotEntry, SnapshotEntry__Output as _tokenmesh_v1_SnapshotEntry__Output } from '../../tokenmesh/v1/SnapshotEntry.ts';

export interface SnapshotEntries {
  'entries'?: (_tokenmesh_v1_SnapshotEntry)[];
}

export interface SnapshotEntries__Output {
  'entries': (_tokenmesh_v1_SnapshotEntry__Output)[];
}
