import { describe, expect, it } from 'vitest';
import type { Outcome } from './outcome.ts';
import { judgeNumbers, judgeOnce, judgeSuccession } from './race-oracle.ts';

const granted: Outcome<string> = { kind: 'accepted', value: '' };
const refused: Outcome<string> = { kind: 'refused', reason: 'R' };

describe('the oracle of what may be granted once', () => {
  it('passes one that is granted and others that are refused', () => expect(judgeOnce([refused, granted, refused], 'R')).toEqual([]));
  it('finds two that are granted', () => expect(judgeOnce([granted, granted, refused], 'R')).toEqual(['granted 2 times']));
  it('finds that none is granted', () => expect(judgeOnce([refused, refused], 'R')).toEqual(['granted 0 times']));
  it('finds one that is answered otherwise', () => {
    expect(judgeOnce([granted, { kind: 'failed', status: 'INTERNAL' }], 'R')).toEqual([
      'answered with failed with INTERNAL where R was due',
    ]);
  });
});

describe('the oracle of positions in the log', () => {
  const acknowledged = [
    { replica: 0, subject: 'a', n: 4 },
    { replica: 1, subject: 'b', n: 5 },
    { replica: 1, subject: 'c', n: 5 },
  ];
  const listed = new Map([
    ['a', [4]],
    ['b', [5]],
    ['c', [5]],
  ]);

  it('passes contiguous ones, where several revocations of one replica may be one event', () => {
    expect(judgeNumbers(acknowledged, listed)).toEqual([]);
  });
  it('finds a gap', () => {
    const gap = [...acknowledged, { replica: 2, subject: 'd', n: 7 }];
    expect(judgeNumbers(gap, new Map([...listed, ['d', [7]]]))).toEqual(['nothing is at 6']);
  });
  it('finds one that two replicas gave away', () => {
    const shared = [...acknowledged, { replica: 2, subject: 'd', n: 5 }];
    expect(judgeNumbers(shared, new Map([...listed, ['d', [5]]]))).toEqual(['5 was given away by several replicas']);
  });
  it('finds an acknowledged revocation that is not listed', () => {
    expect(judgeNumbers(acknowledged, new Map([...listed, ['b', []]]))).toEqual(['b, acknowledged at 5, is listed at no position']);
  });
});

describe('the oracle of how keys follow one another', () => {
  it('passes answers that go forward', () => expect(judgeSuccession([['k1', 'k1'], ['k1', 'k2'], ['k2']], ['k1', 'k2', 'k3'])).toEqual([]));
  it('finds a key that became active twice', () => {
    expect(judgeSuccession([], ['k1', 'k2', 'k1'])).toEqual(['key k1 became active twice']);
  });
  it('finds an answer that goes back', () => {
    expect(judgeSuccession([['k2'], ['k1']], ['k1', 'k2'])).toEqual(['key k1 was named after its successor had been']);
  });
  it('finds a second successor, which was never made active', () => {
    expect(judgeSuccession([['k2', 'kx']], ['k1', 'k2'])).toEqual(['key kx was named and never became active']);
  });
});
