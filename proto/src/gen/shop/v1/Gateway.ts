// Original file: shop/v1/gateway.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { PlaceOrderRequest as _shop_v1_PlaceOrderRequest, PlaceOrderRequest__Output as _shop_v1_PlaceOrderRequest__Output } from '../../shop/v1/PlaceOrderRequest.ts';
import type { PlaceOrderResponse as _shop_v1_PlaceOrderResponse, PlaceOrderResponse__Output as _shop_v1_PlaceOrderResponse__Output } from '../../shop/v1/PlaceOrderResponse.ts';

/**
 * Where customers' orders come in.
 */
export interface GatewayClient extends grpc.Client {
  PlaceOrder(argument: _shop_v1_PlaceOrderRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_PlaceOrderResponse__Output>): grpc.ClientUnaryCall;
  PlaceOrder(argument: _shop_v1_PlaceOrderRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_PlaceOrderResponse__Output>): grpc.ClientUnaryCall;
  PlaceOrder(argument: _shop_v1_PlaceOrderRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_PlaceOrderResponse__Output>): grpc.ClientUnaryCall;
  PlaceOrder(argument: _shop_v1_PlaceOrderRequest, callback: grpc.requestCallback<_shop_v1_PlaceOrderResponse__Output>): grpc.ClientUnaryCall;
  placeOrder(argument: _shop_v1_PlaceOrderRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_PlaceOrderResponse__Output>): grpc.ClientUnaryCall;
  placeOrder(argument: _shop_v1_PlaceOrderRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_PlaceOrderResponse__Output>): grpc.ClientUnaryCall;
  placeOrder(argument: _shop_v1_PlaceOrderRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_PlaceOrderResponse__Output>): grpc.ClientUnaryCall;
  placeOrder(argument: _shop_v1_PlaceOrderRequest, callback: grpc.requestCallback<_shop_v1_PlaceOrderResponse__Output>): grpc.ClientUnaryCall;

}

/**
 * Where customers' orders come in.
 */
export interface GatewayHandlers extends grpc.UntypedServiceImplementation {
  PlaceOrder: grpc.handleUnaryCall<_shop_v1_PlaceOrderRequest__Output, _shop_v1_PlaceOrderResponse>;

}

export interface GatewayDefinition extends grpc.ServiceDefinition {
  PlaceOrder: MethodDefinition<_shop_v1_PlaceOrderRequest, _shop_v1_PlaceOrderResponse, _shop_v1_PlaceOrderRequest__Output, _shop_v1_PlaceOrderResponse__Output>
}
