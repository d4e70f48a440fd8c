import { describe, expect, it } from 'vitest';
import { judgeFamilies, type RefreshAttempt } from './family-oracle.ts';
import type { Outcome } from './outcome.ts';

const accepted = (successor: string): Outcome<string> => ({ kind: 'accepted', value: successor });
const refused = (reason: string): Outcome<string> => ({ kind: 'refused', reason });
const reused = refused('GRANT_REUSED');
const lost: Outcome<string> = { kind: 'lost' };

/** An attempt that takes 10 ms. */
const attempt = (
  startedAtMs: number,
  presented: string,
  outcome: Outcome<string>,
  others: Partial<RefreshAttempt> = {},
): RefreshAttempt => ({
  ...{ family: 'f', presented, content: '', startedAtMs, endedAtMs: startedAtMs + 10, outcome },
  ...others,
});

describe('the oracle of refresh families passes', () => {
  it('a path, with answers repeated in the window and answers lost', () => {
    const path = [
      attempt(0, 'r1', accepted('r2')),
      attempt(5, 'r1', accepted('r2')),
      attempt(20, 'r2', lost),
      attempt(900, 'r2', accepted('r3')),
      attempt(1000, 'r3', accepted('r4')),
    ];
    expect(judgeFamilies(path)).toEqual([]);
  });

  it('a family that ends with the reuse of a used token', () => {
    const ended = [
      attempt(0, 'r1', accepted('r2')),
      attempt(20, 'r1', reused, { content: 'a' }),
      attempt(40, 'r2', refused('GRANT_INVALID')),
    ];
    expect(judgeFamilies(ended)).toEqual([]);
  });

  it('a retry that comes too late, and is taken for a reuse', () => {
    expect(judgeFamilies([attempt(0, 'r1', lost), attempt(2100, 'r1', reused)])).toEqual([]);
  });
});

describe('the oracle of refresh families finds', () => {
  it('a tree: two successors of one token', () => {
    const tree = [attempt(0, 'r1', accepted('r2')), attempt(5, 'r1', accepted('r3'))];
    expect(judgeFamilies(tree)).toEqual(['f: a tree: r1 has the successors r2 and r3']);
  });

  it('one token as the successor of two', () => {
    const joined = [attempt(0, 'r1', accepted('r2')), attempt(50, 'q1', accepted('r2'), { family: 'g' })];
    expect(judgeFamilies(joined)).toEqual(['g: r2 is the successor of both r1 and q1']);
  });

  it('the same answer to another request', () => {
    const answers = [attempt(0, 'r1', accepted('r2')), attempt(5, 'r1', accepted('r2'), { content: 'a' })];
    expect(judgeFamilies(answers)).toEqual(['f: r1 was accepted in requests that differ']);
  });

  it('a used token that is accepted after the window', () => {
    const answers = [attempt(0, 'r1', accepted('r2')), attempt(2100, 'r1', accepted('r2'))];
    expect(judgeFamilies(answers)).toEqual(['f: r1 was accepted once more after 2090 ms']);
  });

  it('a newest token that still works after a reuse', () => {
    const survived = [attempt(0, 'r1', accepted('r2')), attempt(20, 'r1', reused, { content: 'a' }), attempt(40, 'r2', accepted('r3'))];
    expect(judgeFamilies(survived)).toEqual(['f: r2 was accepted after a reuse revoked the family']);
  });

  it('a newest token that is refused though nothing was reused: it was lost', () => {
    const forgotten = [attempt(0, 'r1', accepted('r2')), attempt(20, 'r2', refused('GRANT_INVALID'))];
    expect(judgeFamilies(forgotten)).toEqual(['f: r2 was refused with GRANT_INVALID, and nothing was reused']);
    expect(judgeFamilies(forgotten, new Set(['f']))).toEqual([]);
  });

  it('a retry within the window that is taken for a reuse', () => {
    expect(judgeFamilies([attempt(0, 'r1', lost), attempt(1500, 'r1', reused)])).toEqual([
      'f: r1 was refused with GRANT_REUSED, and nothing was reused',
    ]);
  });

  it('an answer that is no refusal', () => {
    expect(judgeFamilies([attempt(0, 'r1', { kind: 'failed', status: 'INTERNAL' })])).toEqual(['f: r1 failed with INTERNAL']);
  });
});
