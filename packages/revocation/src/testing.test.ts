import { describe, test } from 'vitest';
import { createMemoryCourier, publishFrom, testFeedTransport } from './testing.ts';

describe('the memory courier as a FeedTransport', () => {
  testFeedTransport({
    test,
    async open(record) {
      const courier = createMemoryCourier();
      const end = publishFrom(record, courier.publisher);
      return {
        transport: courier.transport,
        interrupt: async () => courier.interrupt(),
        restore: async () => courier.restore(),
        close: async () => end(),
      };
    },
  });
});
