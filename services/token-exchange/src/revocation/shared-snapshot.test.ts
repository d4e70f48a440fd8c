import { generateSigningKey } from '@tokenmesh/token';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Snapshot, shareSnapshot } from './shared-snapshot.ts';

let made: PromiseWithResolvers<Snapshot>[];
let keys: { feed: { signing: ReturnType<typeof generateSigningKey> } };
let snapshot: () => Promise<Snapshot>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  made = [];
  keys = { feed: { signing: generateSigningKey('ES256', 'one') } };
  const make = () => {
    const next = Promise.withResolvers<Snapshot>();
    made.push(next);
    return next.promise;
  };
  // the signing key is all that is looked at of the ring
  snapshot = shareSnapshot(make, keys as Parameters<typeof shareSnapshot>[1]);
});
afterEach(() => {
  vi.useRealTimers();
});

const finish = (index: number) => made[index]?.resolve({ head: `${index}`, chunks: [] });
const heads = async (asked: readonly Promise<Snapshot>[]) => new Set((await Promise.all(asked)).map(({ head }) => head));

it('makes one for a thousand who ask while it is being made, and for those who come within two seconds', async () => {
  const first = Array.from({ length: 1000 }, snapshot);
  finish(0);
  expect(await heads(first)).toEqual(new Set(['0']));
  vi.advanceTimersByTime(1999);
  expect(await heads([snapshot(), snapshot()])).toEqual(new Set(['0']));
  expect(made).toHaveLength(1);
});

it('makes another one after two seconds, which begin when the first is made', async () => {
  const first = snapshot();
  vi.advanceTimersByTime(10_000);
  expect(made).toHaveLength(1);
  finish(0);
  await first;
  vi.advanceTimersByTime(2000);
  const second = snapshot();
  finish(1);
  expect(await heads([second])).toEqual(new Set(['1']));
});

it('hands out none that a key signed which signs no more, also while it is being made', async () => {
  const first = snapshot();
  keys.feed.signing = generateSigningKey('ES256', 'two');
  const second = snapshot();
  finish(0);
  expect(await heads([first])).toEqual(new Set(['0']));
  vi.advanceTimersByTime(1000);
  finish(1);
  expect(await heads([second, snapshot()])).toEqual(new Set(['1']));
  vi.advanceTimersByTime(1000); // the end of the first one's time is not the end of the second one's
  expect(await heads([snapshot()])).toEqual(new Set(['1']));
  expect(made).toHaveLength(2);
});

it('tells all who asked that it failed, and tries again for the next', async () => {
  const asked = [snapshot(), snapshot()];
  made[0]?.reject(new Error('the record is away'));
  for (const failed of await Promise.allSettled(asked)) expect(failed).toMatchObject({ status: 'rejected' });
  const next = snapshot();
  finish(1);
  expect(await heads([next])).toEqual(new Set(['1']));
});
