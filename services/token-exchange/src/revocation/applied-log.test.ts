import { beforeEach, describe, expect, it } from 'vitest';
import type { StoredEvent, StoredTarget } from '../record/revocation-records.ts';
import { type AppliedLog, openAppliedLog } from './applied-log.ts';

const event = (n: number): StoredEvent => ({ n, compact: `c${n}`, hash: `h${n}`, t: n });
const target = (n: number): StoredTarget => ({ kind: 'subject', value: `s${n}`, exp: 1000, n, t: n, revokedBy: 'o', note: '' });

/** A record that others append to, as far as it is read here. */
const record = {
  isShared: true,
  epoch: 'e',
  n: 0,
  oldest: 1,
  up: true,
  async head() {
    if (!record.up) throw new Error('the record is away');
    return { epoch: record.epoch, n: record.n, h: '' };
  },
  async events(from: number, limit: number) {
    const all = Array.from({ length: record.n }, (_, index) => event(index + 1));
    return all.filter(({ n }) => n >= from && n >= record.oldest).slice(0, limit);
  },
  async targetsUpTo(to: number, after?: { readonly n: number }) {
    return (await record.targetsBetween((after?.n ?? 0) + 1, to)).slice(0, 2);
  },
  async targetsBetween(from: number, to: number) {
    return Array.from({ length: Math.min(record.n, to) }, (_, index) => target(index + 1)).filter(({ n }) => n >= from);
  },
};

let clock: { wallMs: number; monotonicMs: number };
let heard: number[];
let enforced: number[];
let log: AppliedLog;

beforeEach(async () => {
  Object.assign(record, { isShared: true, epoch: 'e', n: 0, oldest: 1, up: true });
  clock = { wallMs: 100_000, monotonicMs: 500 };
  [heard, enforced] = [[], []];
  log = await open();
});

async function open(): Promise<AppliedLog> {
  const opened = await openAppliedLog({
    store: record,
    head: { epoch: 'e', n: record.n, h: `h${record.n}` },
    staleAfterMs: 5000,
    onProblem: (error) => {
      throw error;
    },
    now: () => clock.wallMs,
    monotonicNow: () => clock.monotonicMs,
  });
  opened.listen({ onEvent: ({ n }) => heard.push(n), onCheckpoint: () => {} });
  opened.view.onApplied(() => enforced.push(opened.view.set.size));
  return opened;
}

describe('the log of a shared record', () => {
  it('applies what others appended, in order, over several pages', async () => {
    record.n = 1100;
    await log.catchUp();
    expect(heard).toEqual(Array.from({ length: 1100 }, (_, index) => index + 1));
    expect([log.n, log.view.set.size, enforced.length]).toEqual([1100, 1100, 1100]);
  });

  it('puts an event of its own into force at once, and tells it after those of others that come before', async () => {
    record.n = 3;
    log.put(event(3), [target(3)]);
    expect([heard, enforced, log.n]).toEqual([[], [1], 0]);
    await log.catchUp();
    expect([heard, log.n]).toEqual([[1, 2, 3], 3]);
  });

  it('tells an event once, whether the commit or the record is heard of first', async () => {
    record.n = 1;
    await log.catchUp();
    log.put(event(1), [target(1)]);
    record.n = 2;
    const reading = log.catchUp();
    log.put(event(2), [target(2)]);
    await reading;
    expect([heard, enforced]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('is not alarmed by a head that was read before its own event was put', async () => {
    const { head } = record;
    const reading = log.checkedHead(async () => {
      const before = await head();
      record.n = 1;
      log.put(event(1), [target(1)]);
      return before;
    });
    expect((await reading).n).toBe(0);
  });

  it('takes the targets when it was away for so long that their events are forgotten', async () => {
    record.n = 5;
    record.oldest = 4;
    await log.catchUp();
    expect([log.n, log.view.set.size]).toEqual([5, 5]);
    record.n = 6;
    await log.catchUp();
    expect(heard).toEqual([6]);
  });

  it('captures everything up to one position, also when it knows a later event than those in between', async () => {
    record.n = 3;
    log.put(event(3), [target(3)]);
    const { head, entries } = await log.capture();
    expect([head, entries.size, entries.epoch]).toEqual([{ epoch: 'e', n: 3, h: 'h3' }, 3, 'e']);

    const readHead = record.head;
    record.head = async () => {
      record.head = readHead;
      const before = await readHead();
      record.n = 5;
      log.put(event(5), [target(5)]);
      return before;
    };
    const later = await log.capture();
    expect([later.head, later.entries.size]).toEqual([{ epoch: 'e', n: 5, h: 'h5' }, 5]);
  });

  it('captures nothing of a record that was replaced', async () => {
    record.n = 3;
    await log.catchUp();
    record.epoch = 'other';
    await expect(log.capture()).rejects.toThrow('another epoch');
  });

  it('begins with what the record had targeted before, page by page', async () => {
    record.n = 5;
    log = await open();
    expect([log.n, log.view.set.size]).toEqual([5, 5]);
    expect((await log.capture()).head).toEqual({ epoch: 'e', n: 5, h: 'h5' });
  });

  it('forgets what expired, and nothing else', async () => {
    record.n = 2;
    await log.catchUp();
    log.put(event(3), [{ ...target(3), exp: 999 }]);
    await log.expire(1000);
    expect(log.view.set.size).toBe(2);
    await log.expire(1001);
    expect(log.view.set.size).toBe(0);
  });

  it('is stale one millisecond after S without an answer of the record, by either clock, and fresh with the next', async () => {
    const state = () => log.view.freshness().state;
    record.up = false;
    await expect(log.catchUp()).rejects.toThrow('away');
    clock.wallMs += 5000;
    expect(state()).toBe('fresh');
    clock.wallMs += 1;
    expect(state()).toBe('stale');
    clock.wallMs -= 3_600_000; // a clock that is set back makes nothing fresh that is old by the other
    clock.monotonicMs += 5001;
    expect(state()).toBe('stale');
    record.up = true;
    await log.catchUp();
    expect(log.view.freshness()).toMatchObject({ state: 'fresh', ageMs: 0, freshAtMs: clock.wallMs });
  });

  it('counts its age from before the question', async () => {
    const { head } = record;
    record.head = async () => {
      clock.wallMs += 6000;
      return await head();
    };
    await log.catchUp().finally(() => {
      record.head = head;
    });
    expect(log.view.freshness()).toMatchObject({ state: 'stale', ageMs: 6000 });
  });

  it('refuses a record that has another epoch, or that ends before what was seen of it', async () => {
    record.n = 3;
    await log.catchUp();
    record.n = 2;
    await expect(log.catchUp()).rejects.toThrow('ends at 2, and 3 was seen');
    Object.assign(record, { n: 9, epoch: 'other' });
    await expect(log.catchUp()).rejects.toThrow('another epoch');
    expect(log.n).toBe(3);
  });
});

it('the log of a record of this process alone is always known', () => {
  record.isShared = false;
  clock.wallMs += 3_600_000;
  expect(log.view.freshness()).toMatchObject({ state: 'fresh', ageMs: 0 });
});
