import { expect, test } from 'vitest';
import { addHash, findHash, recentHashes } from './recent-hashes.ts';

function upTo(count: number) {
  let hashes = recentHashes('h0');
  for (let n = 1; n < count; n++) hashes = addHash(hashes, `h${n}`);
  return hashes;
}

test('tells every hash by its distance from the newest one, at every length', () => {
  for (let count = 1; count <= 100; count++) {
    const hashes = upTo(count);
    const found = Array.from({ length: count }, (_, back) => findHash(hashes, back));
    expect(found).toEqual(Array.from({ length: count }, (_, back) => `h${count - 1 - back}`));
  }
});

test('knows nothing of what lies before the first and after the newest one', () => {
  for (const count of [1, 31, 32, 33, 64, 65]) {
    expect(findHash(upTo(count), count)).toBeUndefined();
    expect(findHash(upTo(count), -1)).toBeUndefined();
  }
});

test('tells of the newest 1 024 alone, and keeps few others', () => {
  for (const count of [5_000, 5_024, 5_025]) {
    const hashes = upTo(count);
    expect(findHash(hashes, 1_023)).toBe(`h${count - 1_024}`);
    expect(findHash(hashes, 1_024)).toBeUndefined();
    expect([...hashes.full.flat(), ...hashes.last].length).toBeLessThanOrEqual(1_056);
  }
});

test('leaves what was there as it is', () => {
  const before = upTo(70);
  const copy = structuredClone(before);
  addHash(addHash(before, 'x'), 'y');
  expect(before).toEqual(copy);
});
