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

export interface RevocationFeedClient extends grpc.Client {
  Checkpoint(argument: _tokenmesh_v1_CheckpointRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  Checkpoint(argument: _tokenmesh_v1_CheckpointRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  Checkpoint(argument: _tokenmesh_v1_CheckpointRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  Checkpoint(argument: _tokenmesh_v1_CheckpointRequest, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  checkpoint(argument: _tokenmesh_v1_CheckpointRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  checkpoint(argument: _tokenmesh_v1_CheckpointRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  checkpoint(argument: _tokenmesh_v1_CheckpointRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;
  checkpoint(argument: _tokenmesh_v1_CheckpointRequest, callback: grpc.requestCallback<_tokenmesh_v1_CheckpointResponse__Output>): grpc.ClientUnaryCall;

  GetFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  GetFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  GetFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  GetFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  getFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  getFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  getFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;
  getFeedKeys(argument: _tokenmesh_v1_GetFeedKeysRequest, callback: grpc.requestCallback<_tokenmesh_v1_GetFeedKeysResponse__Output>): grpc.ClientUnaryCall;

  GetSnapshot(argument: _tokenmesh_v1_GetSnapshotRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_GetSnapshotResponse__Output>;
  GetSnapshot(argument: _tokenmesh_v1_GetSnapshotRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_GetSnapshotResponse__Output>;
  getSnapshot(argument: _tokenmesh_v1_GetSnapshotRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_GetSnapshotResponse__Output>;
  getSnapshot(argument: _tokenmesh_v1_GetSnapshotRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tokenmesh_v1_GetSnapshotResponse__Output>;

  ListEvents(argument: _tokenmesh_v1_ListEventsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  ListEvents(argument: _tokenmesh_v1_ListEventsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  ListEvents(argument: _tokenmesh_v1_ListEventsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  ListEvents(argument: _tokenmesh_v1_ListEventsRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  listEvents(argument: _tokenmesh_v1_ListEventsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  listEvents(argument: _tokenmesh_v1_ListEventsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  listEvents(argument: _tokenmesh_v1_ListEventsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;
  listEvents(argument: _tokenmesh_v1_ListEventsRequest, callback: grpc.requestCallback<_tokenmesh_v1_ListEventsResponse__Output>): grpc.ClientUnaryCall;

  Sync(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncResponse__Output>;
  Sync(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncResponse__Output>;
  sync(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncResponse__Output>;
  sync(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncResponse__Output>;

}

export interface RevocationFeedHandlers extends grpc.UntypedServiceImplementation {
  Checkpoint: grpc.handleUnaryCall<_tokenmesh_v1_CheckpointRequest__Output, _tokenmesh_v1_CheckpointResponse>;

  GetFeedKeys: grpc.handleUnaryCall<_tokenmesh_v1_GetFeedKeysRequest__Output, _tokenmesh_v1_GetFeedKeysResponse>;

  GetSnapshot: grpc.handleServerStreamingCall<_tokenmesh_v1_GetSnapshotRequest__Output, _tokenmesh_v1_GetSnapshotResponse>;

  ListEvents: grpc.handleUnaryCall<_tokenmesh_v1_ListEventsRequest__Output, _tokenmesh_v1_ListEventsResponse>;

  Sync: grpc.handleBidiStreamingCall<_tokenmesh_v1_SyncRequest__Output, _tokenmesh_v1_SyncResponse>;

}

export interface RevocationFeedDefinition extends grpc.ServiceDefinition {
  Checkpoint: MethodDefinition<_tokenmesh_v1_CheckpointRequest, _tokenmesh_v1_CheckpointResponse, _tokenmesh_v1_CheckpointRequest__Output, _tokenmesh_v1_CheckpointResponse__Output>
  GetFeedKeys: MethodDefinition<_tokenmesh_v1_GetFeedKeysRequest, _tokenmesh_v1_GetFeedKeysResponse, _tokenmesh_v1_GetFeedKeysRequest__Output, _tokenmesh_v1_GetFeedKeysResponse__Output>
  GetSnapshot: MethodDefinition<_tokenmesh_v1_GetSnapshotRequest, _tokenmesh_v1_GetSnapshotResponse, _tokenmesh_v1_GetSnapshotRequest__Output, _tokenmesh_v1_GetSnapshotResponse__Output>
  ListEvents: MethodDefinition<_tokenmesh_v1_ListEventsRequest, _tokenmesh_v1_ListEventsResponse, _tokenmesh_v1_ListEventsRequest__Output, _tokenmesh_v1_ListEventsResponse__Output>
  Sync: MethodDefinition<_tokenmesh_v1_SyncRequest, _tokenmesh_v1_SyncResponse, _tokenmesh_v1_SyncRequest__Output, _tokenmesh_v1_SyncResponse__Output>
}
