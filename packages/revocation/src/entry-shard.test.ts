import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EntryColumns } from './entry-columns.ts';
import { EntryShard } from './entry-shard.ts';

interface Entry {
  readonly head: number;
  readonly tail: number;
  readonly n: number;
  readonly t: number;
  readonly exp: number;
}

const tailMax = 2 ** 22 - 1;
/** Few, so that entries meet and stand close to one another, at both ends and in between. */
const heads = fc.constantFrom(0, 1, 2, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1);
const tails = fc.constantFrom(0, 1, 2, tailMax - 1, tailMax);
/** What fits the narrow form, what only just does, and what does not. */
const positions = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constantFrom(2 ** 32, 2 ** 34, 2 ** 34 + 1, 2 ** 34 + 51, 2 ** 53 - 1));
const times = fc.oneof(
  fc.integer({ min: 0, max: 50 }),
  fc.constantFrom(65_535, 65_536, 2 ** 24 - 1, 2 ** 24, 2 ** 24 + 50, 2 ** 31, 2 ** 32, 2 ** 37 - 1),
);
const ends = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constantFrom(65_535, 65_536, 2 ** 24, 2 ** 24 + 50, 2 ** 32 + 7, 2 ** 38 - 1));
const entries = fc.record({ head: heads, tail: tails, n: positions, t: times, exp: ends });
const groups = fc.array(entries, { maxLength: 40 });

type Model = Map<string, Entry>;

const keyOf = ({ head, tail }: Pick<Entry, 'head' | 'tail'>) => `${head} ${tail}`;

function raised(held: Entry | undefined, { head, tail, n, t, exp }: Entry): Entry {
  return { head, tail, n: Math.max(n, held?.n ?? 0), t: Math.max(t, held?.t ?? 0), exp: Math.max(exp, held?.exp ?? 0) };
}

function put(shard: EntryShard, model: Model, entry: Entry): void {
  const next = raised(model.get(keyOf(entry)), entry);
  const at = shard.search(entry.head, entry.tail);
  expect(at >= 0).toBe(model.has(keyOf(entry)));
  if (at < 0) shard.insert(-1 - at, next.head, next.tail, next.n, next.t, next.exp);
  else shard.update(at, next.n, next.t, next.exp);
  model.set(keyOf(entry), next);
}

function shardOf(group: readonly Entry[]): { shard: EntryShard; model: Model } {
  const [shard, model] = [new EntryShard(), new Map()];
  for (const entry of group) put(shard, model, entry);
  return { shard, model };
}

function holds(shard: EntryShard): Entry[] {
  const columns = new EntryColumns();
  shard.unpack(columns);
  return Array.from({ length: columns.count }, (_, i) => ({
    head: columns.head[i] ?? 0,
    tail: columns.tail[i] ?? 0,
    n: columns.n[i] ?? 0,
    t: columns.t[i] ?? 0,
    exp: columns.exp[i] ?? 0,
  }));
}

const sorted = (model: Model) => [...model.values()].sort((a, b) => a.head - b.head || a.tail - b.tail);

test('holds what was put into it, in order, whether it is narrow or wide', () => {
  fc.assert(
    fc.property(groups, (group) => {
      const { shard, model } = shardOf(group);
      expect(holds(shard)).toEqual(sorted(model));
      expect(shard.earliest).toBeLessThanOrEqual(Math.min(...[...model.values()].map(({ exp }) => exp)));
    }),
  );
});

test('merges with another into what both hold, with the highest of each number', () => {
  fc.assert(
    fc.property(groups, groups, (one, other) => {
      const [a, b] = [shardOf(one), shardOf(other)];
      const both: Model = new Map(a.model);
      for (const entry of b.model.values()) both.set(keyOf(entry), raised(both.get(keyOf(entry)), entry));
      expect(holds(EntryShard.merge(a.shard, b.shard))).toEqual(sorted(both));
      expect([holds(a.shard), holds(b.shard)]).toEqual([sorted(a.model), sorted(b.model)]);
    }),
  );
});

test('forgets what expired before and nothing else, and goes on from there', () => {
  fc.assert(
    fc.property(groups, fc.oneof(fc.integer({ min: 0, max: 101 }), ends), groups, (group, nowSeconds, more) => {
      const { shard, model } = shardOf(group);
      for (const [key, { exp }] of model) if (exp < nowSeconds) model.delete(key);
      expect(shard.expire(nowSeconds)).toBe(shardOf(group).model.size - model.size);
      expect(holds(shard)).toEqual(sorted(model));
      for (const entry of more) put(shard, model, entry);
      expect(holds(shard)).toEqual(sorted(model));
    }),
  );
});

test('a copy does not change with the original', () => {
  fc.assert(
    fc.property(groups, groups, (group, more) => {
      const { shard, model } = shardOf(group);
      const copy = shard.copy();
      const before = sorted(model);
      for (const entry of more) put(shard, model, entry);
      expect(holds(copy)).toEqual(before);
    }),
  );
});

test('takes 17 bytes an entry, and a sixteenth more for those to come', () => {
  const shard = new EntryShard();
  for (let i = 0; i < 4_000; i++) shard.insert(i, i * 1_000, 0, 7 + i, 1_800_000_000, 1_800_000_900);
  expect(shard.byteLength / 4_000).toBeGreaterThanOrEqual(17);
  expect(shard.byteLength / 4_000).toBeLessThan(17 * (17 / 16) + 0.1);
  expect(shard.expire(1_800_000_901)).toBe(4_000);
  expect(shard.byteLength).toBe(0);
});
