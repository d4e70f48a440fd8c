// Original file: shop/v1/orders.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CreateRequest as _shop_v1_CreateRequest, CreateRequest__Output as _shop_v1_CreateRequest__Output } from '../../shop/v1/CreateRequest.ts';
import type { CreateResponse as _shop_v1_CreateResponse, CreateResponse__Output as _shop_v1_CreateResponse__Output } from '../../shop/v1/CreateResponse.ts';
import type { GetRequest as _shop_v1_GetRequest, GetRequest__Output as _shop_v1_GetRequest__Output } from '../../shop/v1/GetRequest.ts';
import type { GetResponse as _shop_v1_GetResponse, GetResponse__Output as _shop_v1_GetResponse__Output } from '../../shop/v1/GetResponse.ts';
import type { TrackRequest as _shop_v1_TrackRequest, TrackRequest__Output as _shop_v1_TrackRequest__Output } from '../../shop/v1/TrackRequest.ts';
import type { TrackResponse as _shop_v1_TrackResponse, TrackResponse__Output as _shop_v1_TrackResponse__Output } from '../../shop/v1/TrackResponse.ts';
import type { UploadRequest as _shop_v1_UploadRequest, UploadRequest__Output as _shop_v1_UploadRequest__Output } from '../../shop/v1/UploadRequest.ts';
import type { UploadResponse as _shop_v1_UploadResponse, UploadResponse__Output as _shop_v1_UploadResponse__Output } from '../../shop/v1/UploadResponse.ts';

export interface OrdersClient extends grpc.Client {
  Create(argument: _shop_v1_CreateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_CreateResponse__Output>): grpc.ClientUnaryCall;
  Create(argument: _shop_v1_CreateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_CreateResponse__Output>): grpc.ClientUnaryCall;
  Create(argument: _shop_v1_CreateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_CreateResponse__Output>): grpc.ClientUnaryCall;
  Create(argument: _shop_v1_CreateRequest, callback: grpc.requestCallback<_shop_v1_CreateResponse__Output>): grpc.ClientUnaryCall;
  create(argument: _shop_v1_CreateRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_CreateResponse__Output>): grpc.ClientUnaryCall;
  create(argument: _shop_v1_CreateRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_CreateResponse__Output>): grpc.ClientUnaryCall;
  create(argument: _shop_v1_CreateRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_CreateResponse__Output>): grpc.ClientUnaryCall;
  create(argument: _shop_v1_CreateRequest, callback: grpc.requestCallback<_shop_v1_CreateResponse__Output>): grpc.ClientUnaryCall;

  Get(argument: _shop_v1_GetRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  Get(argument: _shop_v1_GetRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  Get(argument: _shop_v1_GetRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  Get(argument: _shop_v1_GetRequest, callback: grpc.requestCallback<_shop_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  get(argument: _shop_v1_GetRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  get(argument: _shop_v1_GetRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  get(argument: _shop_v1_GetRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  get(argument: _shop_v1_GetRequest, callback: grpc.requestCallback<_shop_v1_GetResponse__Output>): grpc.ClientUnaryCall;

  /**
   * Asks about orders and is told about them, both ways at once.
   */
  Track(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_shop_v1_TrackRequest, _shop_v1_TrackResponse__Output>;
  Track(options?: grpc.CallOptions): grpc.ClientDuplexStream<_shop_v1_TrackRequest, _shop_v1_TrackResponse__Output>;
  /**
   * Asks about orders and is told about them, both ways at once.
   */
  track(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_shop_v1_TrackRequest, _shop_v1_TrackResponse__Output>;
  track(options?: grpc.CallOptions): grpc.ClientDuplexStream<_shop_v1_TrackRequest, _shop_v1_TrackResponse__Output>;

  /**
   * Many orders in one call.
   */
  Upload(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_UploadResponse__Output>): grpc.ClientWritableStream<_shop_v1_UploadRequest>;
  Upload(metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_UploadResponse__Output>): grpc.ClientWritableStream<_shop_v1_UploadRequest>;
  Upload(options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_UploadResponse__Output>): grpc.ClientWritableStream<_shop_v1_UploadRequest>;
  Upload(callback: grpc.requestCallback<_shop_v1_UploadResponse__Output>): grpc.ClientWritableStream<_shop_v1_UploadRequest>;
  /**
   * Many orders in one call.
   */
  upload(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_UploadResponse__Output>): grpc.ClientWritableStream<_shop_v1_UploadRequest>;
  upload(metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_UploadResponse__Output>): grpc.ClientWritableStream<_shop_v1_UploadRequest>;
  upload(options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_UploadResponse__Output>): grpc.ClientWritableStream<_shop_v1_UploadRequest>;
  upload(callback: grpc.requestCallback<_shop_v1_UploadResponse__Output>): grpc.ClientWritableStream<_shop_v1_UploadRequest>;

}

export interface OrdersHandlers extends grpc.UntypedServiceImplementation {
  Create: grpc.handleUnaryCall<_shop_v1_CreateRequest__Output, _shop_v1_CreateResponse>;

  Get: grpc.handleUnaryCall<_shop_v1_GetRequest__Output, _shop_v1_GetResponse>;

  /**
   * Asks about orders and is told about them, both ways at once.
   */
  Track: grpc.handleBidiStreamingCall<_shop_v1_TrackRequest__Output, _shop_v1_TrackResponse>;

  /**
   * Many orders in one call.
   */
  Upload: grpc.handleClientStreamingCall<_shop_v1_UploadRequest__Output, _shop_v1_UploadResponse>;

}

export interface OrdersDefinition extends grpc.ServiceDefinition {
  Create: MethodDefinition<_shop_v1_CreateRequest, _shop_v1_CreateResponse, _shop_v1_CreateRequest__Output, _shop_v1_CreateResponse__Output>
  Get: MethodDefinition<_shop_v1_GetRequest, _shop_v1_GetResponse, _shop_v1_GetRequest__Output, _shop_v1_GetResponse__Output>
  Track: MethodDefinition<_shop_v1_TrackRequest, _shop_v1_TrackResponse, _shop_v1_TrackRequest__Output, _shop_v1_TrackResponse__Output>
  Upload: MethodDefinition<_shop_v1_UploadRequest, _shop_v1_UploadResponse, _shop_v1_UploadRequest__Output, _shop_v1_UploadResponse__Output>
}
