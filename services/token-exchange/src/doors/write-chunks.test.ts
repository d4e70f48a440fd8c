import { EventEmitter } from 'node:events';
import { type ServerWritableStream, status } from '@grpc/grpc-js';
import { beforeEach, expect, it, vi } from 'vitest';
import { writeChunks } from './write-chunks.ts';

/** What of a call is used, with a reader that takes a message when a test says so. */
class TestCall extends EventEmitter {
  cancelled = false;
  readonly written: number[] = [];
  readonly #taken: (() => void)[] = [];

  write(message: number, taken: () => void): boolean {
    this.written.push(message);
    this.#taken.push(taken);
    return true;
  }

  async take(): Promise<void> {
    this.#taken.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  cancel(): void {
    this.cancelled = true;
    this.emit('cancelled');
  }
}

let call: TestCall;
let over: AbortController;
beforeEach(() => {
  call = new TestCall();
  over = new AbortController();
});
// nothing else of a call is looked at
const write = (messages: readonly number[]) => writeChunks(call as unknown as ServerWritableStream<unknown, number>, messages, over.signal);

it('has two chunks under way at most, and ends when the last is taken', async () => {
  let isWritten = false;
  const writing = write([1, 2, 3, 4]).then(() => {
    isWritten = true;
  });
  await vi.waitUntil(() => call.written.length === 2);
  for (const count of [3, 4, 4]) {
    await call.take();
    expect(call.written).toHaveLength(count);
    expect(isWritten).toBe(false);
  }
  await call.take();
  await writing;
  expect(call.listenerCount('cancelled')).toBe(0);
});

it('ends when nobody is there any more', async () => {
  const writing = write([1, 2, 3]);
  await vi.waitUntil(() => call.written.length === 2);
  call.cancel();
  await writing;
  expect(call.written).toEqual([1, 2]);
});

it('ends with DEADLINE_EXCEEDED when a reader is too slow, with some chunks or with the last', async () => {
  const writing = write([1, 2, 3]);
  over.abort();
  await expect(writing).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
  over = new AbortController();
  const last = write([1]);
  over.abort();
  await expect(last).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
  expect(call.listenerCount('cancelled')).toBe(0);
});
