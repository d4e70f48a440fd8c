import { expect, it } from 'vitest';
import { createRandom, type Random } from './random.ts';

const draw = (random: Random) => Array.from({ length: 1000 }, () => random.next());

it('makes the same choices for the same seed, and others for another', () => {
  expect(draw(createRandom(1))).toEqual(draw(createRandom(1)));
  expect(draw(createRandom(1))).not.toEqual(draw(createRandom(2)));
});

it('gives a part choices of its own, whatever was drawn before', () => {
  const random = createRandom(1);
  const before = draw(random.of('part'));
  draw(random);
  expect(draw(random.of('part'))).toEqual(before);
  expect(draw(random.of('other'))).not.toEqual(before);
});

it('stays in its range and reaches both ends', () => {
  expect(draw(createRandom(1)).every((value) => value >= 0 && value < 1)).toBe(true);
  const random = createRandom(1);
  expect(new Set(Array.from({ length: 1000 }, () => random.whole(3, 5)))).toEqual(new Set([3, 4, 5]));
});
