import { expect, test } from 'vitest';
import { shardCount } from './packed-entries.ts';
import { PresenceFilter } from './presence-filter.ts';

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
