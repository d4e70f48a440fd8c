import type { PublishedEvent } from '@tokenmesh/revocation';
import { beforeEach, expect, it } from 'vitest';
import { createOutbox, type Outbox } from './outbox.ts';

const event = (n: number) => ({ n, compact: `event ${n}`, hash: '', t: 0 });
const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

let courierIsUp: boolean;
let published: PublishedEvent[];
let unsent: () => Promise<ReturnType<typeof event>[]>;
let outbox: Outbox;

beforeEach(() => {
  [courierIsUp, published] = [false, []];
  outbox = createOutbox({
    store: { markSent: async () => {}, unsentEvents: () => unsent(), isSent: async () => false },
    publisher: {
      name: 'memory',
      async publishEvent(one) {
        if (!courierIsUp) throw new Error('the courier is away');
        published.push(one);
      },
      publishCheckpoint: () => {},
      close: async () => {},
    },
    epoch: 'first',
    onProblem: () => {},
  });
});

async function sweep(events: readonly number[]): Promise<void> {
  unsent = async () => events.map(event);
  await outbox.sweep();
}

it('hands over later what it was given with the span that publishes it', async () => {
  await outbox.publish({ ...event(1), traceparent });
  await outbox.publish(event(2));
  courierIsUp = true;
  await sweep([1, 2]);
  expect(published.map((one) => [one.n, one.traceparent])).toEqual([
    [1, traceparent],
    [2, undefined],
  ]);
});

it('forgets the span of what another replica has handed over', async () => {
  await outbox.publish({ ...event(1), traceparent });
  await sweep([2]);
  courierIsUp = true;
  await sweep([1]);
  expect(published.map((one) => [one.n, one.traceparent])).toEqual([[1, undefined]]);
});

it('does not take what was committed during a sweep for handed over', async () => {
  const { promise, resolve } = Promise.withResolvers<[]>();
  unsent = () => promise;
  const sweeping = outbox.sweep();
  await outbox.publish({ ...event(1), traceparent });
  resolve([]);
  await sweeping;
  courierIsUp = true;
  await sweep([1]);
  expect(published.map((one) => one.traceparent)).toEqual([traceparent]);
});
