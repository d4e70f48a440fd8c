import type { Msg } from 'nats';
import { expect, it } from 'vitest';
import { traceHeaders, traceparentOf } from './trace-headers.ts';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
// the cast holds for what is looked at
const message = (headers: () => Msg['headers']) =>
  ({
    get headers() {
      return headers();
    },
  }) as Msg;

it('reads the span that a publisher named', () => {
  expect(traceparentOf(message(() => traceHeaders(traceparent)))()).toBe(traceparent);
});

it('reads nothing where no header says it', () => {
  expect(traceparentOf(message(() => undefined))()).toBeUndefined();
  const other = traceHeaders(traceparent);
  other.delete('traceparent');
  expect(traceparentOf(message(() => other))()).toBeUndefined();
});

it('does not look at headers before it is asked, and survives those that cannot be read', () => {
  let looks = 0;
  const read = traceparentOf(
    message(() => {
      looks++;
      throw new Error('no headers');
    }),
  );
  expect(looks).toBe(0);
  expect(read()).toBeUndefined();
  expect(looks).toBe(1);
});
