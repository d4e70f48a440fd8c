// Original file: tokenmesh/v1/revocation_feed.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CheckpointRequest as _tokenmesh_v1_CheckpointRequest, CheckpointRequest__Output as _tokenmesh_v1_CheckpointRequest__Output } from '../../tokenmesh/v1/CheckpointRequest.ts';
import type { CheckpointResponse as _tokenmesh_v1_CheckpointResponse, CheckpointResponse__Output as _tokenmesh_v1_CheckpointResponse__Output } from '../../tokenmesh/v1/CheckpointResponse.ts';
import type { GetFeedKeysRequest as _tokenmesh_v1_GetFeedKeysRequest, GetFeedKeysRequest__Output as _tokenmesh_v1_GetFeedKeysRequest__Output } from '../../tokenmesh/v1/GetFeedKeysRequest.ts';
import type { GetFeedKeysResponse as _tokenmesh_v1_GetFeedKeysResponse, GetFeedKeysResponse__Output as _tokenmesh_v1_GetFeedKeysResponse__Output } from '../../tokenmesh/v1/GetFeedKeysResponse.ts';
import type { GetSnapshotRequest as _tokenmesh_v1_GetSnapshotRequest, GetSnapshotRequest__Output as _tokenmesh_v1_GetSnapshotRequest__Output } from '../../tokenmesh/v1/GetSnapshotRequest.ts';
import type { GetSnapshotResponse as _tokenmesh_v1_GetSnapshotResponse, GetSnapshotResponse__Output as _tokenmesh_v1_GetSnapshotResponse__Output } from '../../tokenmesh/v1/GetSnapshotResponse.ts';
import type { ListEventsRequest as _tokenmesh_v1_ListEventsRequest, ListEventsRequest__Output as _tokenmesh_v1_ListEventsRequest__Output } from '../../tokenmesh/v1/ListEventsRequest.ts';
import type { ListEventsResponse as _tokenmesh_v1_ListEventsResponse, ListEventsResponse__Output as _tokenmesh_v1_ListEventsResponse__Output } from '../../tokenmesh/v1/ListEventsResponse.ts';
import type { SyncRequest as _tokenmesh_v1_SyncRequest, SyncRequest__Output as _tokenmesh_v1_SyncRequest__Output } from '../../tokenmesh/v1/SyncRequest.ts';
import type { SyncResponse as _tokenmesh_v1_SyncResponse, SyncResponse__Output as _tokenmesh_v1_SyncResponse__Output } from '../../tokenmesh/v1/SyncResponse.ts';

/**
 * The revocation record as verifiers read it. Events and checkpoints travel as signed JWS (`secevent+jwt`, `checkpoint+jwt`), the same bytes on
 * every path; nothing about completeness rests on the path.
 */
export interface RevocationFeedClient extends grpc.Client {
  /**
   * A fresh checkpoint that carries the caller's nonce.
   */
  Checkpoint(argument: _tokenmesh_v1_CheckpointRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  Checkpoint(argument: _tokenmesh_v1_CheckpointRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  Checkpoint(argument: _tokenmesh_v1_CheckpointRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  Checkpoint(argument: _tokenmesh_v1_CheckpointRequest, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  /**
   * A fresh checkpoint that carries the caller's nonce.
   */
  checkpoint(argument: _tokenmesh_v1_CheckpointRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  checkpoint(argument: _tokenmesh_v1_CheckpointRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  checkpoint(argument: _tokenmesh_v1_CheckpointRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  checkpoint(argument: _tokenmesh_v1_CheckpointRequest, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;

  /**
   * The keys that verify events, checkpoints and snapshots, with their successors. Never the keys that verify tokens.
   */
  GetFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  GetFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  GetFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  GetFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  /**
   * The keys that verify events, checkpoints and snapshots, with their successors. Never the keys that verify tokens.
   */
  getFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  getFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  getFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  getFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;

  /**
   * Every target still in force at one position of the log.
   */
  GetSnapshot(argument: _tokenmesh_v1_GetSnapshotRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_GetSnapshotResponse__Output>;
  GetSnapshot(argument: _tokenmesh_v1_GetSnapshotRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_GetSnapshotResponse__Output>;
  /**
   * Every target still in force at one position of the log.
   */
  getSnapshot(argument: _tokenmesh_v1_GetSnapshotRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_GetSnapshotResponse__Output>;
  getSnapshot(argument: _tokenmesh_v1_GetSnapshotRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_GetSnapshotResponse__Output>;

  /**
   * Contiguous events from a position on.
   */
  ListEvents(argument: _tokenmesh_v1_ListEventsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  ListEvents(argument: _tokenmesh_v1_ListEventsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  ListEvents(argument: _tokenmesh_v1_ListEventsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  ListEvents(argument: _tokenmesh_v1_ListEventsRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Contiguous events from a position on.
   */
  listEvents(argument: _tokenmesh_v1_ListEventsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  listEvents(argument: _tokenmesh_v1_ListEventsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  listEvents(argument: _tokenmesh_v1_ListEventsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  listEvents(argument: _tokenmesh_v1_ListEventsRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;

  /**
   * Live events and checkpoints; reports of the verifier the other way.
   */
  Sync(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncResponse__Output>;
  Sync(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncResponse__Output>;
  /**
   * Live events and checkpoints; reports of the verifier the other way.
   */
  sync(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncResponse__Output>;
  sync(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncResponse__Output>;

}

/**
 * The revocation record as verifiers read it. Events and checkpoints travel as signed JWS (`secevent+jwt`, `checkpoint+jwt`), the same bytes on
 * every path; nothing about completeness rests on the path.
 */
export interface RevocationFeedHandlers extends grpc.UntypedServiceImplementation {
  /**
   * A fresh checkpoint that carries the caller's nonce.
   */
  Checkpoint: grpc.handleUnaryCall<_tokenmesh_v1_CheckpointRequest__Output, _tokenmesh_v1_CheckpointResponse>;

  /**
   * The keys that verify events, checkpoints and snapshots, with their successors. Never the keys that verify tokens.
   */
  GetFeedKeys: grpc.handleUnaryCall<_tokenmesh_v1_GetFeedKeysRequest__Output, _tokenmesh_v1_GetFeedKeysResponse>;

  /**
   * Every target still in force at one position of the log.
   */
  GetSnapshot: grpc.handleServerStreamingCall<_tokenmesh_v1_GetSnapshotRequest__Output, _tokenmesh_v1_GetSnapshotResponse>;

  /**
   * Contiguous events from a position on.
   */
  ListEvents: grpc.handleUnaryCall<_tokenmesh_v1_ListEventsRequest__Output, _tokenmesh_v1_ListEventsResponse>;

  /**
   * Live events and checkpoints; reports of the verifier the other way.
   */
  Sync: grpc.handleBidiStreamingCall<_tokenmesh_v1_SyncRequest__Output, _tokenmesh_v1_SyncResponse>;

}

export interface RevocationFeedDefinition extends grpc.ServiceDefinition {
  Checkpoint: MethodDefinition<_tokenmesh_v1_CheckpointRequest, _tokenmesh_v1_CheckpointResponse, _tokenmesh_v1_CheckpointRequest__Output, _tokenmesh_v1_CheckpointResponse__Output>
  GetFeedKeys: MethodDefinition<_tokenmesh_v1_GetFeedKeysRequest, _tokenmesh_v1_GetFeedKeysResponse, _tokenmesh_v1_GetFeedKeysRequest__Output, _tokenmesh_v1_GetFeedKeysResponse__Output>
  GetSnapshot: MethodDefinition<_tokenmesh_v1_GetSnapshotRequest, _tokenmesh_v1_GetSnapshotResponse, _tokenmesh_v1_GetSnapshotRequest__Output, _tokenmesh_v1_GetSnapshotResponse__Output>
  ListEvents: MethodDefinition<_tokenmesh_v1_ListEventsRequest, _tokenmesh_v1_ListEventsResponse, _tokenmesh_v1_ListEventsRequest__Output, _tokenmesh_v1_ListEventsResponse__Output>
  Sync: MethodDefinition<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncResponse, _tokenmesh_v1_SyncRequest__Output, _tokenmesh_v1_SyncResponse__Output>
}
