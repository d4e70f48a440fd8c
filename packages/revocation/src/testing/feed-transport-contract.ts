import assert from 'node:assert/strict';
import type { FeedTransport } from '../feed-ports.ts';
import type { Target } from '../target.ts';
import { createMemoryRecord, type MemoryRecord } from './memory-record.ts';

/** A path from a memory record to a transport, as `testFeedTransport` needs it. */
export interface OpenedPath {
  readonly transport: FeedTransport;
  /** Cuts the path: no subscriber is reached, none can connect. */
  interrupt(): Promise<void>;
  restore(): Promise<void>;
  close(): Promise<void>;
}

/**
 * What every adapter of the `FeedTransport` port must do, as tests.
 *
 * @param options.open A path that carries what this record sends. Each test opens one and closes it.
 * @param options.test Registers one test: `test` of vitest or of `node:test`.
 */
export function testFeedTransport({
  open,
  test,
}: {
  readonly open: (record: MemoryRecord) => Promise<OpenedPath>;
  readonly test: (title: string, run: () => Promise<void>) => void;
}): void {
  const onPath = (title: string, run: (record: MemoryRecord, path: OpenedPath) => Promise<void>) =>
    test(title, async () => {
      const record = createMemoryRecord();
      const path = await open(record);
      try {
        await run(record, path);
      } finally {
        await path.close();
      }
    });

  onPath('delivers events and checkpoints unchanged and in order', async (record, { transport }) => {
    const inbox = subscribe(transport);
    await inbox.next('up');
    const sent = [record.append([anyTarget('a')]).compact, record.beat(), record.append([anyTarget('b')]).compact];
    const received = [await inbox.next('event'), await inbox.next('checkpoint'), await inbox.next('event')];
    assert.deepEqual(received, sent);
    await inbox.close();
  });

  onPath('delivers to every subscriber', async (record, { transport }) => {
    const inboxes = [subscribe(transport), subscribe(transport)];
    for (const inbox of inboxes) await inbox.next('up');
    const { compact } = record.append([anyTarget('a')]);
    for (const inbox of inboxes) assert.equal(await inbox.next('event'), compact);
    for (const inbox of inboxes) await inbox.close();
  });

  onPath('says when the path is cut, comes back by itself, and delivers again', async (record, path) => {
    const inbox = subscribe(path.transport);
    await inbox.next('up');
    await path.interrupt();
    await inbox.next('down');
    await comesBack(record, path, inbox);
  });

  onPath('says that a path which is cut from the start is down, and opens it once it can', async (record, path) => {
    await path.interrupt();
    const inbox = subscribe(path.transport);
    await inbox.next('down');
    await comesBack(record, path, inbox);
  });

  onPath('delivers nothing once the subscription is closed, and closes twice', async (record, { transport }) => {
    const [closed, open] = [subscribe(transport), subscribe(transport)];
    await closed.next('up');
    await open.next('up');
    await closed.close();
    await closed.close();
    record.beat();
    await open.next('checkpoint');
    assert.deepEqual(closed.rest(), []);
    await open.close();
  });

  onPath('closes while the path is cut', async (_record, path) => {
    await path.interrupt();
    const inbox = subscribe(path.transport);
    await inbox.next('down');
    await inbox.close();
  });
}

/** Restores a path that is cut: it opens by itself, and carries what is sent from then on. */
async function comesBack(record: MemoryRecord, path: OpenedPath, inbox: ReturnType<typeof subscribe>): Promise<void> {
  await path.restore();
  await inbox.next('up');
  const compact = record.beat();
  assert.equal(await inbox.next('checkpoint'), compact);
  await inbox.close();
}

type Arrival = 'event' | 'checkpoint' | 'up' | 'down';

function subscribe(transport: FeedTransport) {
  const arrived: { kind: Arrival; compact: string }[] = [];
  let wake = Promise.withResolvers<void>();
  const arrive = (kind: Arrival, compact = '') => {
    arrived.push({ kind, compact });
    wake.resolve();
  };
  const subscription = transport.subscribe(() => ({ epoch: '', n: 0 }), {
    onEvent: (compact) => arrive('event', compact),
    onCheckpoint: (compact) => arrive('checkpoint', compact),
    onUp: () => arrive('up'),
    onDown: () => arrive('down'),
  });
  return {
    /** The next arrival of this kind. What comes before it must be news of the path only. */
    async next(kind: Arrival): Promise<string> {
      for (;;) {
        const next = arrived.shift();
        if (next?.kind === kind) return next.compact;
        if (next !== undefined) assert.ok(next.kind === 'up' || next.kind === 'down', `${next.kind} instead of ${kind}`);
        else {
          await wake.promise;
          wake = Promise.withResolvers();
        }
      }
    },
    rest: () => [...arrived],
    close: () => subscription.close(),
  };
}

function anyTarget(value: string): Target {
  return { kind: 'token', value, exp: 4_102_444_800 };
}
