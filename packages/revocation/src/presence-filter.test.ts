import { expect, test } from 'vitest';
import { Fingerprints } from './fingerprints.ts';
import { shardCount } from './packed-entries.ts';
import { PresenceFilter } from './presence-filter.ts';
import { kindIndex } from './target.ts';

const perShard = 2 ** 32 / shardCount;

test.each([1, 3, 5, 153])('forgets one shard and nothing of those beside it, of %i words each', (wordsPerShard) => {
  for (const shard of [0, 1, 511, shardCount - 2, shardCount - 1]) {
    const filter = new PresenceFilter(wordsPerShard, shardCount);
    const ends = [shard * perShard, (shard + 1) * perShard - 1];
    for (const high of ends) filter.add(high);
    for (const beside of [shard - 1, shard + 1].filter((index) => index >= 0 && index < shardCount)) filter.clearShard(beside);
    expect(ends.map((high) => filter.mayHave(high))).toEqual([true, true]);
    filter.clearShard(shard);
    expect(ends.map((high) => filter.mayHave(high))).toEqual([false, false]);
  }
});

test('lets about one in 28 of what is not there through, with ten bits an entry', () => {
  const [entries, others] = [32_768, 20_000];
  const filter = new PresenceFilter(10, shardCount);
  const fingerprints = new Fingerprints('e1');
  const highOf = (index: number) => {
    fingerprints.take(kindIndex.token, `jti-${index}`);
    return fingerprints.high;
  };
  for (let index = 0; index < entries; index++) filter.add(highOf(index));
  let through = 0;
  for (let index = entries; index < entries + others; index++) if (filter.mayHave(highOf(index))) through++;
  expect(through / others).toBeGreaterThan(0.02);
  expect(through / others).toBeLessThan(0.036);
});
