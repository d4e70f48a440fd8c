import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Metadata, status } from '@grpc/grpc-js';
import { callerOf } from '@tokenmesh/interceptor';
import type { PaymentsHandlers, WatchChargesResponse } from '@tokenmesh/proto/shop';

/** Takes money, gives it back, and lets others watch. Kept in memory: this is a sample. */
export function paymentsHandlers(): PaymentsHandlers {
  const charges = new Map<string, WatchChargesResponse>();
  const watchers = new EventEmitter().setMaxListeners(0);

  return {
    Charge(call, callback) {
      const { sub, act } = callerOf(call);
      const charge = { charge_id: randomUUID(), amount_cents: call.request.amount_cents };
      charges.set(charge.charge_id, charge);
      watchers.emit('charge', charge);
      callback(null, { charge_id: charge.charge_id, chain: [sub, ...act] });
    },

    Refund(call, callback) {
      const known = charges.delete(call.request.charge_id);
      callback(known ? null : { code: status.NOT_FOUND, details: 'no such charge' }, {});
    },

    // The caller's mesh renews the stream's credential. When it cannot, or the token is taken back, ours ends the stream: the handler sees it as
    // cancelled.
    WatchCharges(call) {
      const forward = (charge: WatchChargesResponse) => call.write(charge);
      watchers.on('charge', forward);
      call.on('cancelled', () => watchers.off('charge', forward));
      call.sendMetadata(new Metadata()); // tells the watcher that it misses nothing from now on
    },
  };
}
