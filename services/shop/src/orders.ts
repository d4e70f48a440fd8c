import { randomUUID } from 'node:crypto';
import { type Deadline, status } from '@grpc/grpc-js';
import { type Caller, callerOf, unary } from '@tokenmesh/interceptor';
import type { Order, OrdersHandlers, PaymentsClient } from '@tokenmesh/proto/shop';
import { answer, invalid } from './answer.ts';

const priceCents = 1_999;

/** Keeps orders, and has each one paid for before it counts. Kept in memory: this is a sample. */
export function ordersHandlers(payments: PaymentsClient): OrdersHandlers {
  const orders = new Map<string, Order>();

  /** Charges on behalf of whoever ordered: payments sees them as the subject, and us as the actor. */
  async function create({ item, quantity }: { item: string; quantity: number }, caller: Caller, deadline: Deadline) {
    if (!item || quantity === 0) throw invalid('an order needs an item and a quantity');
    const order_id = randomUUID();
    const charge = { order_id, amount_cents: quantity * priceCents };
    const { charge_id, chain } = await unary(payments, 'charge', charge, { onBehalfOf: caller, deadline });
    const order = { order_id, item, quantity, charge_id };
    orders.set(order_id, order);
    return { order, chain };
  }

  return {
    Create(call, callback) {
      answer(callback, create(call.request, callerOf(call), call.getDeadline()));
    },

    Get(call, callback) {
      const order = orders.get(call.request.order_id);
      if (order) callback(null, { order });
      else callback({ code: status.NOT_FOUND, details: 'no such order' });
    },

    Upload(call, callback) {
      const createAll = async () => {
        let created = 0;
        for await (const request of call) {
          await create(request, callerOf(call), call.getDeadline());
          created += 1;
        }
        return { created };
      };
      answer(callback, createAll());
    },

    Track(call) {
      call.on('data', ({ order_id }: { order_id: string }) => call.write({ order: orders.get(order_id) ?? null }));
      call.on('end', () => call.end());
    },
  };
}
