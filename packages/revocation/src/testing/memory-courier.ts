import type { FeedPublisher, FeedTransport, FeedTransportHandlers } from '../feed-ports.ts';
import type { MemoryRecord } from './memory-record.ts';

/** A courier inside one process. What is published while it is interrupted is lost, as on core NATS. */
export interface MemoryCourier {
  readonly transport: FeedTransport;
  readonly publisher: FeedPublisher;
  /** Cuts every subscriber off. */
  interrupt(): void;
  restore(): void;
}

/** A courier that nothing has gone over yet; it is up. */
export function createMemoryCourier(name = 'memory'): MemoryCourier {
  const subscribers = new Set<FeedTransportHandlers>();
  let up = true;
  // What was on its way when a subscriber left, or was cut off, does not arrive.
  const deliver = (deliverTo: (handlers: FeedTransportHandlers) => void) => {
    for (const handlers of subscribers) setImmediate(() => up && subscribers.has(handlers) && deliverTo(handlers));
  };
  return {
    transport: {
      name,
      subscribe(_position, handlers) {
        subscribers.add(handlers);
        setImmediate(() => subscribers.has(handlers) && (up ? handlers.onUp() : handlers.onDown(new Error('interrupted'))));
        return {
          close: async () => {
            subscribers.delete(handlers);
          },
        };
      },
    },
    publisher: {
      name,
      async publishEvent({ compact }) {
        if (!up) throw new Error('interrupted');
        deliver((handlers) => handlers.onEvent(compact));
      },
      publishCheckpoint(compact) {
        if (up) deliver((handlers) => handlers.onCheckpoint(compact));
      },
      close: async () => subscribers.clear(),
    },
    interrupt() {
      if (!up) return;
      up = false;
      for (const handlers of [...subscribers]) handlers.onDown(new Error('interrupted'));
    },
    restore() {
      if (up) return;
      up = true;
      for (const handlers of [...subscribers]) handlers.onUp();
    },
  };
}

/** Hands everything that an issuer sends to a courier. An event that the courier refuses is lost to it. Returns what ends it. */
export function publishFrom(record: MemoryRecord, publisher: FeedPublisher): () => void {
  return record.subscribe({
    onEvent: ({ event: { epoch, n }, compact }) => void publisher.publishEvent({ epoch, n, compact }).catch(() => {}),
    onCheckpoint: (compact) => publisher.publishCheckpoint(compact),
  });
}
