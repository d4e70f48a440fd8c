import { createHash } from 'node:crypto';

/** Choices that are the same for the same seed. */
export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A whole number, both ends included. */
  whole(from: number, to: number): number;
  /** One of them; there has to be one. */
  pick<T>(all: readonly T[]): T;
  /** True this often, from 0 to 1. */
  chance(probability: number): boolean;
  /**
   * Choices of their own for one part of a campaign: what others draw, and in which order, does not change them.
   */
  of(part: string | number): Random;
}

/** @param seed Any text or number; not for secrets. */
export function createRandom(seed: string | number): Random {
  // mulberry32: 32 bits of state are plenty for choices, and it needs no dependency
  let state = createHash('sha256').update(String(seed)).digest().readUInt32LE(0);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    whole: (from, to) => from + Math.floor(next() * (to - from + 1)),
    pick(all) {
      const one = all[Math.floor(next() * all.length)];
      if (one === undefined) throw new RangeError('there is nothing to choose from');
      return one;
    },
    chance: (probability) => next() < probability,
    of: (part) => createRandom(`${seed}/${part}`),
  };
}
