import type { Algorithm } from '@tokenmesh/token';
import { describe, expect, it } from 'vitest';
import type { KeyState } from '../record/key-records.ts';
import { type KeyChange, type KeyFacts, type KeyLifeSettings, type KeyRecord, planKeyChanges, planWithdrawal } from './key-life.ts';

const minute = 60_000;
const hour = 60 * minute;
const settings: KeyLifeSettings = {
  alg: 'ES256',
  rotateEveryMs: 24 * hour,
  activationTimeoutMs: 20 * minute,
  feedAnnouncementMs: 10 * minute,
  longestLifeMs: 15 * minute,
};
const key = (kid: string, state: KeyState, others: Partial<KeyRecord> = {}): KeyRecord => ({
  ...{ kid, state, purpose: 'token', alg: 'ES256', changedAtMs: 0, rotationRequestedAtMs: 0 },
  ...others,
});
const feedKey = (kid: string, state: KeyState, others: Partial<KeyRecord> = {}) => key(kid, state, { purpose: 'feed', ...others });
const plan = (keys: readonly KeyRecord[], nowMs: number, facts: Partial<KeyFacts> = {}, more: Partial<KeyLifeSettings> = {}) =>
  planKeyChanges(keys, { nowMs, listeningSinceMs: 0, awaited: () => [], oldestEventMs: undefined, ...facts }, { ...settings, ...more }).map(
    show,
  );

/** `kid: from → to`, or what else it does. */
function show(change: KeyChange): string {
  if (change.type === 'add') return `add ${change.state} ${change.purpose} ${change.alg}`;
  if (change.type === 'remove') return `remove ${change.kid}`;
  return `${change.kid}: ${change.from} → ${change.to}${change.forcedPast ? ` past ${change.forcedPast.join(', ')}` : ''}`;
}

describe('a successor', () => {
  it('is prepared beside an active key, then published, so that there always is one', () => {
    expect(plan([key('a', 'active')], 0)).toEqual(['add prepared token ES256']);
    expect(plan([key('a', 'active'), key('b', 'prepared')], 0)).toEqual(['b: prepared → published']);
    expect(plan([key('a', 'active'), key('b', 'published')], 0)).toEqual([]);
  });

  it('is activated when the active key has signed for its time, and not a millisecond before', () => {
    const keys = [key('a', 'active', { changedAtMs: 1000 }), key('b', 'published', { changedAtMs: 1000 })];
    expect(plan(keys, 1000 + 24 * hour - 1)).toEqual([]);
    expect(plan(keys, 1000 + 24 * hour)).toEqual(['a: active → retiring', 'b: published → active']);
  });

  it('is activated earlier when an operator asked for it', () => {
    const keys = [key('a', 'active', { rotationRequestedAtMs: hour }), key('b', 'published')];
    expect(plan(keys, hour - 1)).toEqual([]);
    expect(plan(keys, hour)).toEqual(['a: active → retiring', 'b: published → active']);
  });

  it('waits for a verifier that does not know it, and goes on when that one does', () => {
    const keys = [key('a', 'active'), key('b', 'published')];
    expect(plan(keys, 24 * hour, { awaited: (kid) => (kid === 'b' ? ['orders 1'] : []) })).toEqual([]);
    expect(plan(keys, 24 * hour, { awaited: () => [] })).toEqual(['a: active → retiring', 'b: published → active']);
  });

  it('is activated past a verifier that does not learn it within the timeout, saying which', () => {
    const keys = [key('a', 'active'), key('b', 'published')];
    const awaited = () => ['orders 1'];
    expect(plan(keys, 24 * hour + 20 * minute - 1, { awaited })).toEqual([]);
    expect(plan(keys, 24 * hour + 20 * minute, { awaited })).toEqual(['a: active → retiring', 'b: published → active past orders 1']);
  });

  it('gives verifiers the whole timeout from its publication when it was published late', () => {
    const keys = [key('a', 'active'), key('b', 'published', { changedAtMs: 30 * hour })];
    const awaited = () => ['orders 1'];
    expect(plan(keys, 30 * hour + 20 * minute - 1, { awaited })).toEqual([]);
    expect(plan(keys, 30 * hour + 20 * minute, { awaited })).toHaveLength(2);
  });

  it('gives verifiers the whole timeout from the start of the service when it is overdue by then', () => {
    const keys = [key('a', 'active'), key('b', 'published')];
    const facts = { awaited: () => ['orders 1'], listeningSinceMs: 30 * hour };
    expect(plan(keys, 30 * hour + 20 * minute - 1, facts)).toEqual([]);
    expect(plan(keys, 30 * hour + 20 * minute, facts)).toHaveLength(2);
  });

  it('of another algorithm than the configured one is replaced before it signs, but not at once', () => {
    const keys = [key('a', 'active'), key('b', 'published')];
    expect(plan(keys, 20 * minute - 1, {}, { alg: 'EdDSA' })).toEqual([]);
    expect(plan(keys, 20 * minute, {}, { alg: 'EdDSA' })).toEqual(['remove b']);
    expect(plan([key('a', 'active')], 20 * minute, {}, { alg: 'EdDSA' })).toEqual(['add prepared token EdDSA']);
  });

  it('of the feed is ES256 whatever is configured, and signs after it was announced for long enough', () => {
    const active = feedKey('a', 'active');
    expect(plan([active], 0, {}, { alg: 'EdDSA' })).toEqual(['add prepared feed ES256']);
    const keys = [active, feedKey('b', 'published', { changedAtMs: 24 * hour })];
    expect(plan(keys, 24 * hour + 10 * minute - 1)).toEqual([]);
    expect(plan(keys, 24 * hour + 10 * minute)).toEqual(['a: active → retiring', 'b: published → active']);
  });
});

describe('a key that signs no more', () => {
  it('stays until the longest token that it signed is dead for every verifier', () => {
    const keys = [key('a', 'active'), key('b', 'published'), key('r', 'retiring')];
    expect(plan(keys, 15 * minute + 90_000)).toEqual([]);
    expect(plan(keys, 15 * minute + 90_001)).toEqual(['remove r']);
  });

  it('of the feed stays as long as an event is kept that it may have signed', () => {
    const keys = [feedKey('a', 'active'), feedKey('b', 'published'), feedKey('r', 'retiring')];
    expect(plan(keys, 5 * hour, { oldestEventMs: 90_000 })).toEqual([]);
    expect(plan(keys, 5 * hour, { oldestEventMs: 90_001 })).toEqual(['remove r']);
    expect(plan(keys, 90_000)).toEqual([]);
    expect(plan(keys, 90_001)).toEqual(['remove r']);
  });

  it('stays on record, withdrawn, until no verifier can still use it', () => {
    const keys = [key('a', 'active'), key('b', 'published'), key('w', 'withdrawn')];
    const end = 24 * hour + 15 * minute + 90_000;
    expect(plan(keys, end - 1, {}, { rotateEveryMs: 100 * hour })).toEqual([]);
    expect(plan(keys, end + 1, {}, { rotateEveryMs: 100 * hour })).toEqual(['remove w']);
  });
});

it('leaves a purpose alone that has several active keys or none, and not the other one', () => {
  const feed = [feedKey('f', 'active')];
  expect(plan([key('a', 'active'), key('b', 'active'), key('r', 'retiring'), ...feed], hour)).toEqual(['add prepared feed ES256']);
  expect(plan([key('r', 'retiring')], hour)).toEqual([]);
});

describe('a withdrawal', () => {
  const withdraw = (keys: readonly KeyRecord[], kids: readonly string[], alg: Algorithm = 'ES256') =>
    planWithdrawal(keys, kids, alg).map(show);

  it('of the active key makes the published one sign at once', () => {
    const keys = [key('a', 'active'), key('b', 'published'), key('r', 'retiring')];
    expect(withdraw(keys, ['a'])).toEqual(['a: active → withdrawn', 'b: published → active']);
  });

  it('of the active key makes a new one where none is published, or that one is withdrawn as well', () => {
    expect(withdraw([key('a', 'active'), key('b', 'prepared')], ['a'], 'RS256')).toEqual([
      'a: active → withdrawn',
      'add active token RS256',
    ]);
    expect(withdraw([key('a', 'active'), key('b', 'published')], ['a', 'b'])).toEqual([
      'a: active → withdrawn',
      'add active token ES256',
      'b: published → withdrawn',
    ]);
  });

  it('of a key of one purpose never makes a key of the other one sign', () => {
    const keys = [feedKey('f', 'active'), key('a', 'active'), key('b', 'published')];
    expect(withdraw(keys, ['f'])).toEqual(['f: active → withdrawn', 'add active feed ES256']);
  });

  it('of a key that does not sign leaves the others as they are', () => {
    expect(withdraw([key('a', 'active'), key('r', 'retiring')], ['r'])).toEqual(['r: retiring → withdrawn']);
  });

  it('of an unknown key, or a withdrawn one, changes nothing', () => {
    expect(withdraw([key('a', 'active'), key('w', 'withdrawn')], ['w', 'unknown'])).toEqual([]);
  });
});
