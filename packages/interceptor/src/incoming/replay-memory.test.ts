import { beforeEach, describe, expect, it } from 'vitest';
import { createReplayMemory, type ReplayMemory } from './replay-memory.ts';

const start = 1_790_000_000;
let nowSeconds: number;
let memory: ReplayMemory;

const open = (maxEntries: number) => createReplayMemory(maxEntries, () => nowSeconds * 1000);
/** A proof that becomes too old in 65 s, unless the test says otherwise. */
const use = (jti: string, { jkt = 'key', exp = start + 65 } = {}) => memory.use({ jkt, jti, exp, alg: 'ES256' });
const useMany = (count: number, of: { jkt?: string; exp?: number } = {}, name = 'p') => {
  for (let i = 0; i < count; i++) expect(use(`${name}${i}`, of), `${name}${i}`).toBe(true);
};

beforeEach(() => {
  nowSeconds = start;
  memory = open(1000);
});

describe('createReplayMemory', () => {
  it('takes a proof once', () => {
    expect(use('a')).toBe(true);
    expect(use('a')).toBe(false);
    expect(use('b')).toBe(true);
  });

  it('keeps the ids of different keys apart', () => {
    expect(use('a')).toBe(true);
    expect(use('a', { jkt: 'another' })).toBe(true);
  });

  it('knows a proof until the very second in which it is too old by itself', () => {
    use('a');
    nowSeconds = start + 64.999;
    expect(use('a')).toBe(false);
  });

  it('forgets proofs that have become too old by themselves', () => {
    useMany(100);
    nowSeconds = start + 65;
    expect(use('b', { exp: start + 130 })).toBe(true);
    expect(memory.size).toBe(1);
  });

  it('T-44: remembers a quarter of what there is room for of one key, and its oldest second goes when there is one more', () => {
    useMany(200, { exp: start + 10 }, 'old');
    useMany(50, { exp: start + 20 }, 'new');
    expect(memory.size).toBe(250);
    expect(use('fresh', { exp: start + 21 })).toBe(true);
    expect(memory.size).toBe(51);
  });

  it('refuses everything as old as what it had to forget, and nothing that is younger', () => {
    useMany(200, { exp: start + 10 }, 'old');
    useMany(51, { exp: start + 20 }, 'new');
    expect(use('old0', { exp: start + 10 })).toBe(false);
    expect(use('never seen', { exp: start + 10 })).toBe(false);
    expect(use('new0', { exp: start + 20 })).toBe(false);
    expect(use('never seen', { exp: start + 11 })).toBe(true);
  });

  it('refuses the rest of a second in which one key uses more proofs than it may', () => {
    useMany(250);
    expect(use('one more')).toBe(false);
    expect(use('p0')).toBe(false);
    expect(use('in the next second', { exp: start + 66 })).toBe(true);
  });

  it('does not forget what it refuses, when it forgets everything else of a key', () => {
    useMany(250);
    expect(use('one more')).toBe(false);
    expect(memory.size).toBe(0);
    nowSeconds = start + 10;
    use('a', { jkt: 'another' });
    expect(use('p0')).toBe(false);
  });

  it('forgets the oldest second first, in whatever order the proofs came', () => {
    useMany(125, { exp: start + 70 });
    useMany(125, { exp: start + 66 }, 'earlier ');
    expect(use('new', { exp: start + 70 })).toBe(true);
    expect(use('p0', { exp: start + 70 })).toBe(false);
  });

  it('counts what it forgot once', () => {
    use('a');
    use('b', { exp: start + 140 });
    nowSeconds = start + 70;
    use('c', { exp: start + 140 });
    nowSeconds = start + 75;
    use('d', { exp: start + 140 });
    expect(memory.size).toBe(3);
  });

  it('does not let one key take the room of another', () => {
    useMany(3, { jkt: 'quiet' });
    for (let second = 1; second <= 10; second++) useMany(200, { jkt: 'busy', exp: start + 70 + second }, `s${second} `);
    expect(memory.size).toBeLessThanOrEqual(253);
    for (const jti of ['p0', 'p1', 'p2']) expect(use(jti, { jkt: 'quiet' })).toBe(false);
    expect(use('p3', { jkt: 'quiet' })).toBe(true);
  });

  it('T-44: never holds more than it may, forgets of those with the most, and takes no replay', () => {
    useMany(100, { jkt: 'light' });
    const busy = ['a', 'b', 'c', 'd'];
    for (const jkt of busy) for (let second = 0; second < 9; second++) useMany(25, { jkt, exp: start + 66 + second }, `s${second} `);
    expect(memory.size).toBe(1000);
    expect(use('one more', { jkt: 'e', exp: start + 80 })).toBe(true);
    expect(memory.size).toBeLessThanOrEqual(751);
    for (let i = 0; i < 100; i++) expect(use(`p${i}`, { jkt: 'light' })).toBe(false);
    for (const jkt of busy) {
      for (let second = 0; second < 9; second++) {
        for (let i = 0; i < 25; i++) expect(use(`s${second} ${i}`, { jkt, exp: start + 66 + second })).toBe(false);
      }
      expect(use('fresh', { jkt, exp: start + 81 })).toBe(true);
    }
    expect(use('fresh', { jkt: 'light' })).toBe(true);
  });

  it('T-44: takes as many keys as it may, and further ones once others are forgotten', () => {
    memory = open(40);
    for (let i = 0; i < 10; i++) expect(use('a', { jkt: `key ${i}` })).toBe(true);
    expect(use('a', { jkt: 'key 10' })).toBe(false);
    nowSeconds = start + 65;
    expect(use('a', { jkt: 'key 10', exp: start + 130 })).toBe(true);
    expect(memory.size).toBe(1);
  });

  it('takes nothing for new that it forgot before the clock was set back', () => {
    use('a');
    nowSeconds = start + 1000;
    use('b', { exp: start + 1065 });
    nowSeconds = start;
    expect(use('a')).toBe(false);
    expect(use('b', { exp: start + 1065 })).toBe(false);
  });
});
