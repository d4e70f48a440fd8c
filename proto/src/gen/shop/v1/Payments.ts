// Original file: shop/v1/payments.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { ChargeRequest as _shop_v1_ChargeRequest, ChargeRequest__Output as _shop_v1_ChargeRequest__Output } from '../../shop/v1/ChargeRequest.ts';
import type { ChargeResponse as _shop_v1_ChargeResponse, ChargeResponse__Output as _shop_v1_ChargeResponse__Output } from '../../shop/v1/ChargeResponse.ts';
import type { RefundRequest as _shop_v1_RefundRequest, RefundRequest__Output as _shop_v1_RefundRequest__Output } from '../../shop/v1/RefundRequest.ts';
import type { RefundResponse as _shop_v1_RefundResponse, RefundResponse__Output as _shop_v1_RefundResponse__Output } from '../../shop/v1/RefundResponse.ts';
import type { WatchChargesRequest as _shop_v1_WatchChargesRequest, WatchChargesRequest__Output as _shop_v1_WatchChargesRequest__Output } from '../../shop/v1/WatchChargesRequest.ts';
import type { WatchChargesResponse as _shop_v1_WatchChargesResponse, WatchChargesResponse__Output as _shop_v1_WatchChargesResponse__Output } from '../../shop/v1/WatchChargesResponse.ts';

export interface PaymentsClient extends grpc.Client {
  Charge(argument: _shop_v1_ChargeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_ChargeResponse__Output>): grpc.ClientUnaryCall;
  Charge(argument: _shop_v1_ChargeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_ChargeResponse__Output>): grpc.ClientUnaryCall;
  Charge(argument: _shop_v1_ChargeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_ChargeResponse__Output>): grpc.ClientUnaryCall;
  Charge(argument: _shop_v1_ChargeRequest, callback: grpc.requestCallback<_shop_v1_ChargeResponse__Output>): grpc.ClientUnaryCall;
  charge(argument: _shop_v1_ChargeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_ChargeResponse__Output>): grpc.ClientUnaryCall;
  charge(argument: _shop_v1_ChargeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_ChargeResponse__Output>): grpc.ClientUnaryCall;
  charge(argument: _shop_v1_ChargeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_ChargeResponse__Output>): grpc.ClientUnaryCall;
  charge(argument: _shop_v1_ChargeRequest, callback: grpc.requestCallback<_shop_v1_ChargeResponse__Output>): grpc.ClientUnaryCall;

  /**
   * Money goes back only while revocations are known to be current.
   */
  Refund(argument: _shop_v1_RefundRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_RefundResponse__Output>): grpc.ClientUnaryCall;
  Refund(argument: _shop_v1_RefundRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_RefundResponse__Output>): grpc.ClientUnaryCall;
  Refund(argument: _shop_v1_RefundRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_RefundResponse__Output>): grpc.ClientUnaryCall;
  Refund(argument: _shop_v1_RefundRequest, callback: grpc.requestCallback<_shop_v1_RefundResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Money goes back only while revocations are known to be current.
   */
  refund(argument: _shop_v1_RefundRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_RefundResponse__Output>): grpc.ClientUnaryCall;
  refund(argument: _shop_v1_RefundRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_shop_v1_RefundResponse__Output>): grpc.ClientUnaryCall;
  refund(argument: _shop_v1_RefundRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_shop_v1_RefundResponse__Output>): grpc.ClientUnaryCall;
  refund(argument: _shop_v1_RefundRequest, callback: grpc.requestCallback<_shop_v1_RefundResponse__Output>): grpc.ClientUnaryCall;

  /**
   * Every charge from now on.
   */
  WatchCharges(argument: _shop_v1_WatchChargesRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_shop_v1_WatchChargesResponse__Output>;
  WatchCharges(argument: _shop_v1_WatchChargesRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_shop_v1_WatchChargesResponse__Output>;
  /**
   * Every charge from now on.
   */
  watchCharges(argument: _shop_v1_WatchChargesRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_shop_v1_WatchChargesResponse__Output>;
  watchCharges(argument: _shop_v1_WatchChargesRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_shop_v1_WatchChargesResponse__Output>;

}

export interface PaymentsHandlers extends grpc.UntypedServiceImplementation {
  Charge: grpc.handleUnaryCall<_shop_v1_ChargeRequest__Output, _shop_v1_ChargeResponse>;

  /**
   * Money goes back only while revocations are known to be current.
   */
  Refund: grpc.handleUnaryCall<_shop_v1_RefundRequest__Output, _shop_v1_RefundResponse>;

  /**
   * Every charge from now on.
   */
  WatchCharges: grpc.handleServerStreamingCall<_shop_v1_WatchChargesRequest__Output, _shop_v1_WatchChargesResponse>;

}

export interface PaymentsDefinition extends grpc.ServiceDefinition {
  Charge: MethodDefinition<_shop_v1_ChargeRequest, _shop_v1_ChargeResponse, _shop_v1_ChargeRequest__Output, _shop_v1_ChargeResponse__Output>
  Refund: MethodDefinition<_shop_v1_RefundRequest, _shop_v1_RefundResponse, _shop_v1_RefundRequest__Output, _shop_v1_RefundResponse__Output>
  WatchCharges: MethodDefinition<_shop_v1_WatchChargesRequest, _shop_v1_WatchChargesResponse, _shop_v1_WatchChargesRequest__Output, _shop_v1_WatchChargesResponse__Output>
}
