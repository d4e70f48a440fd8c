import type { Freshness } from '@tokenmesh/revocation';
import { expect, it } from 'vitest';
import { knownTime } from './known-time.ts';

const known = { state: 'stale', epoch: 'e', n: 1, path: 'grpc' } as const;
const timeAt = (wallMs: number, freshness: Freshness) => knownTime({ freshness: () => freshness }, () => wallMs)();

it('is the wall clock’s while nothing says that it is wrong', () => {
  expect(timeAt(1_000_000, { state: 'empty' })).toBe(1_000_000);
  expect(timeAt(1_000_000, { ...known, freshAtMs: 999_000, ageMs: 1_000 })).toBe(1_000_000);
});

it('is the wall clock’s as long as it is no more than 5 s behind what is known, and then what is known', () => {
  expect(timeAt(1_000_000, { ...known, freshAtMs: 1_002_000, ageMs: 3_000 })).toBe(1_000_000);
  expect(timeAt(1_000_000, { ...known, freshAtMs: 1_002_000, ageMs: 3_001 })).toBe(1_005_001);
});

it('is the wall clock’s when that is ahead', () => {
  expect(timeAt(9_000_000, { ...known, freshAtMs: 1_000_000, ageMs: 8_000_000 })).toBe(9_000_000);
});

it('is nothing to decide by when the wall clock tells nothing', () => {
  expect(timeAt(Number.NaN, { ...known, freshAtMs: 1_000, ageMs: 5 })).toBeNaN();
});
