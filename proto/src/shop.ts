import type { PackageDefinition } from '@grpc/proto-loader';
import type { ProtoGrpcType as GatewayTypes } from './gen/gateway.ts';
import type { ProtoGrpcType as OrdersTypes } from './gen/orders.ts';
import type { ProtoGrpcType as PaymentsTypes } from './gen/payments.ts';
import { grpcObject, loadProto } from './load.ts';

type Loaded = GatewayTypes & OrdersTypes & PaymentsTypes;

/** The definition of `shop.v1`, the sample mesh. */
export const shopPackage: PackageDefinition = loadProto('shop/v1/gateway.proto', 'shop/v1/orders.proto', 'shop/v1/payments.proto');

/** Client constructors and service definitions of `shop.v1`. */
export const shop: Loaded['shop']['v1'] = grpcObject<Loaded>(shopPackage).shop.v1;

export type { GatewayClient, GatewayHandlers } from './gen/shop/v1/Gateway.ts';
export type { Order } from './gen/shop/v1/Order.ts';
export type { OrdersClient, OrdersHandlers } from './gen/shop/v1/Orders.ts';
export type { PaymentsClient, PaymentsHandlers } from './gen/shop/v1/Payments.ts';
export type { WatchChargesResponse } from './gen/shop/v1/WatchChargesResponse.ts';
