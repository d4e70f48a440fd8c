import { expect, test } from 'vitest';
import { EntryTable } from './entry-table.ts';
import { Fingerprints } from './fingerprints.ts';
import { shardCount, shardOf } from './packed-entries.ts';
import { kindIndex } from './target.ts';

const { token } = kindIndex;

/** Values whose entries lie in the first shard, and values whose entries do not. */
function valuesByShard(epoch: string, counts: { readonly first: number; readonly others: number }) {
  const fingerprints = new Fingerprints(epoch);
  const [first, others]: [string[], string[]] = [[], []];
  for (let index = 0; first.length < counts.first || others.length < counts.others; index++) {
    fingerprints.take(token, `jti-${index}`);
    (shardOf(fingerprints.high) === 0 ? first : others).push(`jti-${index}`);
  }
  return { first: first.slice(0, counts.first), others: others.slice(0, counts.others) };
}

test('finds what was added when the filter is made anew, at every size around it', () => {
  // the filter has a bit for 0.16 entries: a larger one is made when there are 5 243
  const { first, others } = valuesByShard('e1', { first: 6, others: 5_239 });
  const table = new EntryTable('e1');
  for (const value of others) table.add(token, value, 1, 1, 100);
  for (const [index, value] of first.entries()) {
    table.add(token, value, 1, 1, 100);
    for (const added of first.slice(0, index + 1)) expect(table.find(token, added), added).toBeDefined();
  }
  // each look-up brings one of 1 024 shards into the filter; then it is asked
  for (const value of others) expect(table.find(token, value), value).toBeDefined();
  for (const value of first) expect(table.find(token, value), value).toBeDefined();
});

test('a table and those captured from it change apart from one another', () => {
  const table = new EntryTable('e1');
  for (let index = 0; index < 3_000; index++) table.add(token, `jti-${index}`, 1, 1, 100 + (index % 2));
  const captured = table.capture();
  const copy = new EntryTable(captured);
  table.add(token, 'jti-1', 2, 1, 100);
  table.add(token, 'of the table', 2, 1, 100);
  copy.add(token, 'of the copy', 3, 1, 100);
  expect(copy.expire(101)).toBe(true);
  const nOf = (held: EntryTable) => ['jti-0', 'jti-1', 'of the table', 'of the copy'].map((value) => held.find(token, value)?.n);
  expect([nOf(table), nOf(copy), nOf(new EntryTable(captured))]).toEqual([
    [1, 2, 2, undefined],
    [undefined, 1, undefined, undefined],
    [1, 1, undefined, undefined],
  ]);
  expect([table.size, copy.size, captured.size]).toEqual([3_001, 1_500, 3_000]);
});

test('what was merged into a table does not change with it', () => {
  const source = new EntryTable('e1');
  for (let index = 0; index < 3_000; index++) source.add(token, `jti-${index}`, 1, 1, 100);
  const entries = source.capture();
  const table = new EntryTable('e1');
  for (let index = 0; index < shardCount; index++) table.mergeShard(index, entries);
  table.add(token, 'jti-1', 2, 1, 100);
  table.expire(101);
  const untouched = new EntryTable(entries);
  expect([table.size, untouched.size, untouched.find(token, 'jti-1'), untouched.find(token, 'jti-2999')]).toEqual([
    0,
    3_000,
    { n: 1, t: 1 },
    { n: 1, t: 1 },
  ]);
});

test('a kind counts as absent once all of its targets have expired, and only then', () => {
  const table = new EntryTable('e1');
  table.add(kindIndex.subject, 'a', 1, 1, 101);
  table.add(kindIndex.client, 'a', 1, 1, 100);
  table.expire(101);
  expect([table.has(kindIndex.subject), table.has(kindIndex.client), table.has(kindIndex.all)]).toEqual([true, false, false]);
  table.add(kindIndex.client, 'a', 2, 1, 150);
  expect(table.find(kindIndex.client, 'a')).toEqual({ n: 2, t: 1 });
});
