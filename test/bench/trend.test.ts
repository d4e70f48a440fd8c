import { expect, it } from 'vitest';
import { trendOf } from './trend.ts';

const points = (count: number, y: (x: number) => number) => Array.from({ length: count }, (_, x) => ({ x, y: y(x) }));

it('finds a line as it is, and is sure of it', () => {
  const { slope, interval } = trendOf(points(400, (x) => 3 + 2 * x));
  expect(slope).toBeCloseTo(2, 10);
  expect(interval[0]).toBeCloseTo(2, 8);
  expect(interval[1]).toBeCloseTo(2, 8);
});

it('says how unsure it is as the textbook does', () => {
  // y = 1, 3, 2, 5 at 0…3: slope 1.1, standard error of it 0.557 by hand, times 4.303 for two degrees of freedom
  const { slope, interval } = trendOf([1, 3, 2, 5].map((y, x) => ({ x, y })));
  expect(slope).toBeCloseTo(1.1, 10);
  expect(interval[1] - slope).toBeCloseTo(4.303 * Math.sqrt(2.7 / 2 / 5), 2);
  expect(slope - interval[0]).toBeCloseTo(interval[1] - slope, 10);
});

it('takes a sawtooth for what it is: no growth, within an interval that holds 0', () => {
  const { slope, interval } = trendOf(points(1_000, (x) => (x % 37) * 10));
  expect(Math.abs(slope)).toBeLessThan(0.05);
  expect(interval[0]).toBeLessThan(0);
  expect(interval[1]).toBeGreaterThan(0);
});

it('sees growth beneath a sawtooth', () => {
  const { interval } = trendOf(points(1_000, (x) => (x % 37) * 10 + x));
  expect(interval[0]).toBeGreaterThan(0.9);
  expect(interval[1]).toBeLessThan(1.1);
});

it('knows nothing of fewer than three points', () => {
  for (const few of [0, 1, 2]) expect(trendOf(points(few, (x) => x))).toEqual({ slope: Number.NaN, interval: [-Infinity, Infinity] });
});
