import { callerOf, unary } from '@tokenmesh/interceptor';
import type { GatewayHandlers, OrdersClient } from '@tokenmesh/proto/shop';
import { answer } from './answer.ts';

/** Where customers' orders come in; passes them on for the customer, never in its own name. */
export function gatewayHandlers(orders: OrdersClient): GatewayHandlers {
  return {
    PlaceOrder(call, callback) {
      const placeOrder = async () => {
        const options = { onBehalfOf: callerOf(call), deadline: call.getDeadline() };
        const { order, chain } = await unary(orders, 'create', call.request, options);
        return { order_id: order?.order_id ?? '', charge_id: order?.charge_id ?? '', chain };
      };
      answer(callback, placeOrder());
    },
  };
}
