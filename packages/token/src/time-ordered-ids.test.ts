import { describe, expect, it } from 'vitest';
import { createTimeOrderedIds } from './time-ordered-ids.ts';

describe('createTimeOrderedIds', () => {
  it('makes ids of 22 characters of base64url, each its own, more of them than random bytes are fetched at once', () => {
    const newId = createTimeOrderedIds(() => 1_800_000_000_000);
    const ids = Array.from({ length: 2_000 }, newId);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(new Set(ids.map((id) => id.slice(8))).size).toBe(2_000);
  });

  it('makes ids that sort as text by the millisecond in which they were made', () => {
    const digits = Array.from({ length: 64 }, (_, digit) => digit);
    // and across other places: 4 s, 4 min, 5 h and more
    const times = [...digits, 64, 4_095, 4_096, 262_143, 262_144, 2 ** 24, 1_800_000_000_000, 1_800_000_000_001, 2 ** 48 - 1];
    let nowMs = 0;
    const newId = createTimeOrderedIds(() => nowMs);
    const ids = times.map((ms) => {
      nowMs = ms;
      return newId();
    });
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids.map((id) => id.slice(0, 8))).size).toBe(times.length);
  });

  it('begins ids of one millisecond alike, and those of another otherwise', () => {
    let nowMs = 1_800_000_000_000.75;
    const newId = createTimeOrderedIds(() => nowMs);
    const first = newId();
    nowMs += 0.2;
    expect(newId().slice(0, 8)).toBe(first.slice(0, 8));
    nowMs += 1;
    expect(newId().slice(0, 8)).not.toBe(first.slice(0, 8));
  });
});
