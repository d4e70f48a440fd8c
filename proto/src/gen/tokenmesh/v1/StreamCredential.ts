// Original file: tokenmesh/v1/stream_credential.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { RenewRequest as _tokenmesh_v1_RenewRequest, RenewRequest__Output as _tokenmesh_v1_RenewRequest__Output } from '../../tokenmesh/v1/RenewRequest.ts';
import type { RenewResponse as _tokenmesh_v1_RenewResponse, RenewResponse__Output as _tokenmesh_v1_RenewResponse__Output } from '../../tokenmesh/v1/RenewResponse.ts';

/**
 * Renews the credential of a live stream without reopening it. Served by every service that serves streams.
 */
export interface StreamCredentialClient extends grpc.Client {
  /**
   * The new token is the call's own credential: same `sub`, `client_id` and binding, scope no narrower than the stream's
   * method needs.
   */
  Renew(argument: _tokenmesh_v1_RenewRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  Renew(argument: _tokenmesh_v1_RenewRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  Renew(argument: _tokenmesh_v1_RenewRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  Renew(argument: _tokenmesh_v1_RenewRequest, callback: grpc.requestCallback<_tokenmesh_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  /**
   * The new token is the call's own credential: same `sub`, `client_id` and binding, scope no narrower than the stream's
   * method needs.
   */
  renew(argument: _tokenmesh_v1_RenewRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  renew(argument: _tokenmesh_v1_RenewRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tokenmesh_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  renew(argument: _tokenmesh_v1_RenewRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tokenmesh_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  renew(argument: _tokenmesh_v1_RenewRequest, callback: grpc.requestCallback<_tokenmesh_v1_RenewResponse__Output>): grpc.ClientUnaryCall;

}

/**
 * Renews the credential of a live stream without reopening it. Served by every service that serves streams.
 */
export interface StreamCredentialHandlers extends grpc.UntypedServiceImplementation {
  /**
   * The new token is the call's own credential: same `sub`, `client_id` and binding, scope no narrower than the stream's
   * method needs.
   */
  Renew: grpc.handleUnaryCall<_tokenmesh_v1_RenewRequest__Output, _tokenmesh_v1_RenewResponse>;

}

export interface StreamCredentialDefinition extends grpc.ServiceDefinition {
  Renew: MethodDefinition<_tokenmesh_v1_RenewRequest, _tokenmesh_v1_RenewResponse, _tokenmesh_v1_RenewRequest__Output, _tokenmesh_v1_RenewResponse__Output>
}
