// Original file: shop/v1/orders.proto

import type { Order as _shop_v1_Order, Order__Output as _shop_v1_Order__Output } from '../../shop/v1/Order.ts';

export interface TrackResponse {
  'order'?: (_shop_v1_Order | null);
}

export interface TrackResponse__Output {
  'order': (_shop_v1_Order__Output | null);
}
