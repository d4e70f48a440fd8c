// Original file: tokenmesh/v1/revocation_feed.proto

import type { SyncStart as _tokenmesh_v1_SyncStart, SyncStart__Output as _tokenmesh_v1_SyncStart__Output } from '../../tokenmesh/v1/SyncStart.ts';
import type { VerifierReport as _tokenmesh_v1_VerifierReport, VerifierReport__Output as _tokenmesh_v1_VerifierReport__Output } from '../../tokenmesh/v1/VerifierReport.ts';

export interface SyncRequest {
  'start'?: (_tokenmesh_v1_SyncStart | null);
  'report'?: (_tokenmesh_v1_VerifierReport | null);
  'message'?: "start"|"report";
}

export interface SyncRequest__Output {
  'start'?: (_tokenmesh_v1_SyncStart__Output | null);
  'report'?: (_tokenmesh_v1_VerifierReport__Output | null);
  'message'?: "start"|"report";
}
