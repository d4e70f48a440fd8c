import { describe, expect, it } from 'vitest';
import { createStatusStream } from './status-stream.ts';

describe('createStatusStream', () => {
  it('tells every reader what happens from the moment on at which it was opened, and ends when it is closed', async () => {
    const stream = createStatusStream<number>();
    stream.report(0);
    const first = stream.changes();
    stream.report(1);
    const second = stream.changes();
    stream.report(2);
    stream.close();
    expect(await Array.fromAsync(first)).toEqual([1, 2]);
    expect(await Array.fromAsync(second)).toEqual([2]);
    expect(await Array.fromAsync(stream.changes())).toEqual([]);
  });

  it('wakes a reader that waits, for a change and for the end', async () => {
    const stream = createStatusStream<number>();
    const reader = stream.changes();
    const next = reader.next();
    stream.report(1);
    expect(await next).toEqual({ done: false, value: 1 });
    const last = reader.next();
    stream.close();
    expect(await last).toEqual({ done: true, value: undefined });
  });

  it('keeps 256 changes for a slow reader, and tells it how many older ones are gone', async () => {
    const stream = createStatusStream<number>();
    const [slow, atLimit] = [stream.changes(), stream.changes()];
    for (let change = 0; change < 256; change++) stream.report(change);
    expect((await atLimit.next()).value).toBe(0);
    stream.report(256);
    stream.report(257);
    stream.close();
    const [missed, oldest, ...rest] = await Array.fromAsync(slow);
    expect([missed, oldest, rest.at(-1), rest.length]).toEqual([{ type: 'missed', count: 2 }, 2, 257, 255]);
    expect(await Array.fromAsync(atLimit)).toEqual([{ type: 'missed', count: 1 }, ...Array.from({ length: 256 }, (_, index) => index + 2)]);
  });
});
