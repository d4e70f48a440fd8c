import { expect, test } from 'vitest';
import type { Checkpoint } from './checkpoint.ts';
import type { SignedEvent } from './event.ts';
import { type FeedEffect, type FeedInput, type FeedState, freshnessAt, initialState, nextRequest, step } from './freshness.ts';
import type { SnapshotHead } from './snapshot.ts';
import { seededRandom } from './testing.ts';

const limits = { staleAfterMs: 5_000, futureToleranceMs: 5_000 };
const start = 1_800_000_000_000;

function hash(n: number, branch = ''): string {
  return `h${n}${branch}`;
}

function event(n: number, { epoch = 'e1', branch = '', prev = hash(n - 1, branch) } = {}): FeedInput {
  const targets = [{ kind: 'token', value: `jti-${n}${branch}`, exp: 9_999_999_999 }] as const;
  const signed: SignedEvent = {
    event: { iss: 'i', aud: 'm', iat: 0, jti: `${epoch}-${n}`, epoch, n, t: start, prev, targets },
    compact: '',
    hash: hash(n, branch),
  };
  return { type: 'event', signed };
}

function statement(n: number, t: number, { epoch = 'e1', branch = '' } = {}): Checkpoint {
  return { iss: 'i', aud: 'm', epoch, n, h: hash(n, branch), t, s: 5_000 };
}

function checkpoint(
  n: number,
  t = start,
  options: { epoch?: string; branch?: string; wallMs?: number; monotonicMs?: number } = {},
): FeedInput {
  const { wallMs = start, monotonicMs = 0 } = options;
  return { type: 'checkpoint', checkpoint: statement(n, t, options), at: { wallMs, monotonicMs } };
}

function snapshot(n: number, { epoch = 'e1', branch = '' } = {}): FeedInput {
  const head: SnapshotHead = { ...statement(n, start, { epoch, branch }), digest: '' };
  return { type: 'snapshot', head };
}

class Verifier {
  state: FeedState = initialState;
  effects: FeedEffect[] = [];

  take(...inputs: FeedInput[]): this {
    for (const input of inputs) {
      const { state, effects } = step(this.state, input, limits);
      this.state = state;
      this.effects.push(...effects);
    }
    return this;
  }

  /** The record answers the question that is open. */
  answer(n: number, t = start, options: { epoch?: string; branch?: string; wallMs?: number; monotonicMs?: number } = {}): this {
    const asked = nextRequest(this.state);
    if (asked?.type !== 'confirm') throw new Error(`Not a checkpoint but ${asked?.type} is asked for`);
    const input = checkpoint(n, t, options);
    return this.take(input.type === 'checkpoint' ? { ...input, asked } : input);
  }

  freshness(wallMs = start, monotonicMs = 0) {
    return freshnessAt(this.state, { wallMs, monotonicMs }, 'memory');
  }

  get applied(): string[] {
    return this.effects.flatMap((effect) => (effect.type === 'apply' ? effect.signed.event.targets.map(({ value }) => value) : []));
  }

  get alarms(): string[] {
    return this.effects.flatMap((effect) =>
      effect.type === 'alarm' ? [`${effect.alarm.kind} ${effect.alarm.epoch}:${effect.alarm.n}`] : [],
    );
  }
}

/** Follows `e1` at position 5, confirmed at `start`. */
function confirmed(): Verifier {
  return new Verifier().take(snapshot(5), { type: 'connected' }).answer(5);
}

test('asks for a snapshot, then for a checkpoint, and is empty until that is met', () => {
  const verifier = new Verifier();
  expect(nextRequest(verifier.state)).toEqual({ type: 'snapshot' });
  verifier.take(snapshot(5));
  expect(verifier.effects).toEqual([{ type: 'load', replace: true }]);
  expect(verifier.freshness()).toEqual({ state: 'empty' });
  expect(nextRequest(verifier.state)).toMatchObject({ type: 'confirm' });
  verifier.answer(5);
  expect(verifier.freshness()).toEqual({ state: 'fresh', freshAtMs: start, ageMs: 0, epoch: 'e1', n: 5, path: 'memory' });
  expect(nextRequest(verifier.state)).toBeUndefined();
});

test('a restart is not fresh by broadcast checkpoints alone', () => {
  const verifier = new Verifier().take(snapshot(5), { type: 'connected' }, checkpoint(5), checkpoint(5, start + 1));
  expect(verifier.freshness()).toEqual({ state: 'empty' });
});

test('after a reconnection broadcast checkpoints do not count until the record has answered', () => {
  const verifier = confirmed().take({ type: 'connected' }, checkpoint(5, start + 1_000));
  expect(verifier.freshness()).toMatchObject({ state: 'fresh', freshAtMs: start });
  verifier.answer(5, start + 2_000).take(checkpoint(5, start + 3_000));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start + 3_000 });
});

test('an answer to a question from before a reconnection does not confirm it', () => {
  const verifier = confirmed().take({ type: 'connected' });
  const asked = nextRequest(verifier.state);
  verifier.take({ type: 'connected' });
  if (asked?.type !== 'confirm') throw new Error('no question');
  verifier.take({ type: 'checkpoint', checkpoint: statement(5, start + 1), at: { wallMs: start, monotonicMs: 0 }, asked });
  expect(verifier.state.tag).toBe('unconfirmed');
  expect(nextRequest(verifier.state)).toMatchObject({ type: 'confirm' });
});

test('an answer that waits for a gap when the path changes does not confirm what comes after', () => {
  const verifier = confirmed()
    .take({ type: 'connected' })
    .answer(6, start + 1)
    .take({ type: 'connected' }, event(6));
  expect(verifier.state.tag).toBe('unconfirmed');
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start });
});

test('an answer that waits for a gap is not displaced by a later broadcast', () => {
  const verifier = confirmed()
    .take({ type: 'connected' })
    .answer(6, start + 1)
    .take(checkpoint(7, start + 2), event(6));
  expect(verifier.state.tag).toBe('confirmed');
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start + 1 });
});

test('is fresh at S by either clock, and stale one millisecond later', () => {
  const verifier = confirmed();
  expect(verifier.freshness(start + 5_000, 5_000)).toMatchObject({ state: 'fresh', ageMs: 5_000 });
  expect(verifier.freshness(start + 5_001, 0)).toMatchObject({ state: 'stale', ageMs: 5_001 });
  expect(verifier.freshness(start, 5_001)).toMatchObject({ state: 'stale', ageMs: 5_001 });
});

test('the smaller S of verifier and issuer counts', () => {
  const lax = { staleAfterMs: 60_000, futureToleranceMs: 5_000 };
  let state = initialState;
  for (const input of [snapshot(5), checkpoint(5)]) {
    const asked = nextRequest(state);
    const answered = input.type === 'checkpoint' && asked?.type === 'confirm' ? { ...input, asked } : input;
    ({ state } = step(state, answered, lax));
  }
  expect(freshnessAt(state, { wallMs: start + 5_001, monotonicMs: 0 }, '')).toMatchObject({ state: 'stale' });
});

test('an event is applied at once and counted', () => {
  const verifier = confirmed().take(event(6));
  expect(verifier.applied).toEqual(['jti-6']);
  expect(verifier.freshness()).toMatchObject({ n: 6 });
});

test('an event beyond a gap is applied at once but not counted, and the gap is asked for', () => {
  const verifier = confirmed().take(event(8));
  expect(verifier.applied).toEqual(['jti-8']);
  expect(verifier.freshness()).toMatchObject({ n: 5 });
  expect(nextRequest(verifier.state)).toEqual({ type: 'fill', epoch: 'e1', n: 6 });
  verifier.take(event(7), event(6));
  expect(verifier.applied).toEqual(['jti-8', 'jti-7', 'jti-6']);
  expect(verifier.freshness()).toMatchObject({ n: 8 });
  expect(nextRequest(verifier.state)).toBeUndefined();
});

test('a duplicate is applied once, before and after it is counted', () => {
  const verifier = confirmed().take(event(7), event(7), event(6), event(6), event(7));
  expect(verifier.applied).toEqual(['jti-7', 'jti-6']);
  expect(verifier.alarms).toEqual([]);
});

test('a lost event shows at the next checkpoint, which counts once the gap is filled', () => {
  const verifier = confirmed().take(checkpoint(7, start + 1_000));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start });
  expect(nextRequest(verifier.state)).toEqual({ type: 'fill', epoch: 'e1', n: 6 });
  verifier.take(event(6));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start });
  verifier.take(event(7));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start + 1_000, n: 7 });
});

test('a checkpoint that waits for a gap ages from the moment it was received', () => {
  const verifier = confirmed().take(checkpoint(6, start + 1_000, { wallMs: start + 1_000, monotonicMs: 1_000 }), event(6));
  expect(verifier.freshness(start, 6_000)).toMatchObject({ state: 'fresh' });
  expect(verifier.freshness(start, 6_001)).toMatchObject({ state: 'stale' });
});

test('an old checkpoint that is delivered late does not raise F, nor lower it', () => {
  const verifier = confirmed().take(event(6), checkpoint(6, start + 2_000), checkpoint(5, start + 1_000));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start + 2_000 });
  verifier.take(checkpoint(5, start - 60_000, { monotonicMs: 90_000 }));
  expect(verifier.freshness(start + 2_000, 90_000)).toMatchObject({ state: 'stale', freshAtMs: start + 2_000 });
});

test('a checkpoint that was overtaken by an event counts', () => {
  const verifier = confirmed().take(event(6), checkpoint(5, start + 1_000));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start + 1_000 });
});

test('a checkpoint of a position too long ago to compare does not count', () => {
  const verifier = confirmed();
  for (let n = 6; n <= 5 + 1_024; n++) verifier.take(event(n));
  verifier.take(checkpoint(5, start + 1_000));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start });
  verifier.take(checkpoint(6, start + 1_000));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start + 1_000 });
});

test('T-53 a checkpoint from the future counts up to the tolerance and raises an alarm beyond it', () => {
  const verifier = confirmed().take(checkpoint(5, start + 5_001));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start });
  expect(verifier.alarms).toEqual(['future e1:5']);
  verifier.take(checkpoint(5, start + 5_000));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start + 5_000 });
});

test('T-53 a checkpoint that was dated ahead counts until S after its date, whenever it is played again, and no longer', () => {
  const [dated, again] = [start + 4_000, start + 7_000];
  const verifier = confirmed();
  expect(verifier.freshness(again, 7_000)).toMatchObject({ state: 'stale' });
  verifier.take(checkpoint(5, dated, { wallMs: again, monotonicMs: 7_000 }));
  expect(verifier.freshness(dated + 5_000, 9_000)).toMatchObject({ state: 'fresh', freshAtMs: dated });
  expect(verifier.freshness(dated + 5_001, 9_001)).toMatchObject({ state: 'stale' });
  verifier.take(checkpoint(5, dated, { wallMs: dated + 5_001, monotonicMs: 9_001 }));
  expect(verifier.freshness(dated + 5_001, 9_001)).toMatchObject({ state: 'stale' });
});

test('T-53 an answer from the future does not confirm', () => {
  const verifier = confirmed()
    .take({ type: 'connected' })
    .answer(5, start + 5_001);
  expect(verifier.state.tag).toBe('unconfirmed');
});

test('both clocks set back: F from before is given up for the record’s answer, and only for a checkpoint that counts', () => {
  const back = { wallMs: start - 7_200_000, monotonicMs: 10_000 };
  const verifier = confirmed();
  expect(verifier.freshness(back.wallMs, back.monotonicMs)).toMatchObject({ state: 'stale' });
  verifier.take({ type: 'silence' }).answer(5, back.wallMs, back);
  expect(verifier.freshness(back.wallMs, back.monotonicMs)).toMatchObject({ state: 'fresh', freshAtMs: back.wallMs });
});

test('the same position with another hash is an alarm and stale, and only a snapshot and a new answer end it', () => {
  const verifier = confirmed().take(event(6), event(6, { branch: 'b' }));
  expect(verifier.alarms).toEqual(['equivocation e1:6']);
  expect(verifier.freshness()).toMatchObject({ state: 'stale', ageMs: 5_001 });
  verifier.take(checkpoint(6, start + 1), { type: 'connected' });
  expect(verifier.freshness()).toMatchObject({ state: 'stale' });
  expect(nextRequest(verifier.state)).toEqual({ type: 'snapshot' });
  verifier.take(snapshot(6));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start });
  verifier.take(checkpoint(6, start + 1));
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start });
  verifier.answer(6, start + 2);
  expect(verifier.freshness()).toMatchObject({ state: 'fresh', freshAtMs: start + 2 });
});

test('what either of two histories revoked is in force', () => {
  const verifier = confirmed().take(event(6), event(6, { branch: 'b' }), event(7, { branch: 'b' }));
  expect(verifier.applied).toEqual(['jti-6', 'jti-6b', 'jti-7b']);
  verifier.take(snapshot(7, { branch: 'b' }));
  expect(verifier.effects.at(-1)).toEqual({ type: 'load', replace: false });
});

test.each([
  ['an event that does not follow the last one', [event(6, { prev: hash(5, 'b') })]],
  ['an event beyond a gap that does not follow what fills it', [event(7, { prev: hash(6, 'b') }), event(6)]],
  ['two events beyond a gap', [event(7), event(7, { branch: 'b', prev: hash(6) })]],
  ['a checkpoint for what is applied', [checkpoint(5, start, { branch: 'b' })]],
  ['a checkpoint that waited for a gap', [checkpoint(6, start, { branch: 'b' }), event(6)]],
  ['a checkpoint for an event beyond a gap', [event(7), checkpoint(7, start, { branch: 'b' })]],
  ['a snapshot of what is applied', [{ type: 'gone' }, snapshot(5, { branch: 'b' })]],
  ['a snapshot of an event beyond a gap', [event(7), snapshot(7, { branch: 'b' })]],
] as [string, FeedInput[]][])('%s that disagrees is equivocation', (_what, inputs) => {
  const verifier = confirmed().take(...inputs);
  expect(verifier.state.tag).toBe('forked');
  expect(verifier.alarms).toHaveLength(1);
});

test('the record that knows less than was seen is an alarm and does not confirm', () => {
  const verifier = confirmed()
    .take(event(6), event(7), { type: 'connected' })
    .answer(6, start + 1);
  expect(verifier.alarms).toEqual(['rewind e1:6']);
  expect(verifier.state.tag).toBe('unconfirmed');
  expect(verifier.freshness()).toMatchObject({ freshAtMs: start });
  verifier.answer(7, start + 1);
  expect(verifier.state.tag).toBe('confirmed');
});

test('a new epoch is only believed of the record, replaces everything and must be confirmed', () => {
  const verifier = confirmed().take(event(900, { epoch: 'e2' }), checkpoint(900, start + 1, { epoch: 'e2' }));
  expect(verifier.applied).toEqual([]);
  expect(verifier.freshness()).toMatchObject({ epoch: 'e1', freshAtMs: start });
  verifier.answer(900, start + 1, { epoch: 'e2' });
  expect(nextRequest(verifier.state)).toEqual({ type: 'snapshot' });
  verifier.take(snapshot(900, { epoch: 'e2' }));
  expect(verifier.effects.at(-1)).toEqual({ type: 'load', replace: true });
  expect(verifier.freshness()).toEqual({ state: 'empty' });
  verifier.answer(900, start + 2, { epoch: 'e2' });
  expect(verifier.freshness()).toMatchObject({ state: 'fresh', epoch: 'e2', n: 900 });
});

test('a foreign epoch that the record does not know changes nothing', () => {
  const verifier = confirmed()
    .take(event(6, { epoch: 'e0' }))
    .answer(5, start + 1);
  expect(nextRequest(verifier.state)).toBeUndefined();
  expect(verifier.freshness()).toMatchObject({ state: 'fresh', epoch: 'e1', freshAtMs: start + 1 });
});

test('a former epoch is ignored, and a record that goes back to it is an alarm', () => {
  const verifier = confirmed()
    .take({ type: 'gone' }, snapshot(900, { epoch: 'e2' }))
    .answer(900, start, { epoch: 'e2' });
  const { state } = verifier;
  verifier.take(event(6), checkpoint(6, start + 1));
  expect(verifier.state).toEqual(state);
  verifier.take({ type: 'connected' }).answer(5, start + 1);
  verifier.take(snapshot(5));
  expect(verifier.alarms).toEqual(['rewind e1:5', 'rewind e1:5']);
  expect(verifier.freshness()).toMatchObject({ epoch: 'e2' });
});

test('another epoch that stands below what was seen is an alarm, and what is in force stays', () => {
  const verifier = confirmed().take({ type: 'connected' });
  verifier.answer(4, start + 1, { epoch: 'e0' });
  expect(nextRequest(verifier.state)).toMatchObject({ type: 'confirm' });
  const { effects } = step(verifier.state, snapshot(4, { epoch: 'e0' }), limits);
  expect(effects).toEqual([{ type: 'alarm', alarm: { kind: 'rewind', epoch: 'e0', n: 4 } }]);
  verifier.take(snapshot(4, { epoch: 'e0' })).answer(5, start + 2);
  expect(verifier.alarms).toEqual(['rewind e0:4', 'rewind e0:4']);
  expect(verifier.freshness()).toMatchObject({ state: 'fresh', epoch: 'e1', freshAtMs: start + 2 });
});

test('a replayed old snapshot takes nothing away', () => {
  const verifier = confirmed().take(event(6), { type: 'gone' });
  const { effects } = step(verifier.state, snapshot(5), limits);
  expect(effects).toEqual([]);
  expect(verifier.take(snapshot(5)).freshness()).toMatchObject({ n: 6 });
});

test('events that are not served any more are made up for by a snapshot, which keeps what lies beyond it', () => {
  const verifier = confirmed().take(event(9), { type: 'gone' });
  expect(nextRequest(verifier.state)).toEqual({ type: 'snapshot' });
  verifier.take(snapshot(8));
  expect(verifier.effects.at(-1)).toEqual({ type: 'load', replace: false });
  expect(verifier.freshness()).toMatchObject({ n: 9 });
  expect(nextRequest(verifier.state)).toBeUndefined();
});

test('silence asks the record, whose answer counts without a broadcast', () => {
  const verifier = confirmed()
    .take({ type: 'silence' })
    .answer(5, start + 3_000, { monotonicMs: 3_000 });
  expect(verifier.freshness(start + 3_000, 3_000)).toMatchObject({ state: 'fresh', ageMs: 0 });
  expect(nextRequest(verifier.state)).toBeUndefined();
});

test('events without end beyond a gap are applied, though only the first are remembered', () => {
  const verifier = confirmed();
  for (let n = 7; n <= 7 + 1_024; n++) verifier.take(event(n));
  expect(verifier.applied).toHaveLength(1_025);
  verifier.take(event(6));
  expect(verifier.freshness()).toMatchObject({ n: 6 + 1_024 });
  verifier.take(event(7 + 1_024));
  expect(verifier.freshness()).toMatchObject({ n: 7 + 1_024 });
});

/**
 * One issuer, and one verifier behind a network that loses, delays, reorders and duplicates, with restarts, reconnections, a lagging wall clock
 * and a record that is sometimes out of reach. The oracle knows what the issuer had acknowledged, and when.
 */
function runSchedule(seed: number): { fresh: number; applied: number } {
  const random = seededRandom(seed);
  const chance = (probability: number) => random() < probability;
  let now = start;
  let n = 0;
  const acknowledgedAt: number[] = [];
  let wire: FeedInput[] = [];
  const questions: { asked: NonNullable<ReturnType<typeof nextRequest>>; answer: FeedInput[]; at: number }[] = [];
  let verifier = new Verifier();
  let held = new Set<number>();
  let fresh = 0;

  const take = (input: FeedInput) => {
    const { state, effects } = step(verifier.state, input, limits);
    verifier.state = state;
    for (const effect of effects) {
      if (effect.type === 'apply') held.add(effect.signed.event.n);
      if (effect.type === 'load' && input.type === 'snapshot') for (let k = 1; k <= input.head.n; k++) held.add(k);
      if (effect.type === 'alarm') throw new Error(`seed ${seed}: false ${effect.alarm.kind}`);
    }
  };
  const at = () => ({ wallMs: now, monotonicMs: now - start });

  for (let turn = 0; turn < 400; turn++) {
    now += Math.floor(random() * 400);
    if (chance(0.25)) {
      n++;
      acknowledgedAt[n] = now;
      wire.push(event(n));
    }
    // Two replicas: the clock is read before the position, and time may pass between.
    if (chance(0.4)) wire.push({ type: 'checkpoint', checkpoint: statement(n, now), at: at() });
    if (chance(0.2) && n > 0) wire.push(event(1 + Math.floor(random() * n)));
    wire = wire.filter(() => !chance(0.05));
    while (wire.length > 0 && chance(0.7)) {
      const index = Math.floor(random() * Math.min(wire.length, 4));
      const input = wire[index] as FeedInput; // the index is below the length
      if (!chance(0.1)) wire.splice(index, 1);
      take(input.type === 'checkpoint' ? { ...input, at: at() } : input);
    }
    if (chance(0.02)) take({ type: 'connected' });
    if (chance(0.02)) take({ type: 'silence' });
    if (chance(0.01)) take({ type: 'gone' });
    if (chance(0.01)) {
      verifier = new Verifier();
      held = new Set();
      questions.length = 0;
    }
    const asked = nextRequest(verifier.state);
    if (asked !== undefined && questions.length === 0 && chance(0.8)) questions.push({ asked, answer: answers(asked), at: now });
    if (questions.length > 0 && chance(0.5)) {
      const question = questions.shift();
      if (!chance(0.2)) for (const input of question?.answer ?? []) take(input);
    }
    check();
  }
  return { fresh, applied: held.size };

  function answers(asked: NonNullable<ReturnType<typeof nextRequest>>): FeedInput[] {
    switch (asked.type) {
      case 'snapshot':
        return [snapshot(n)];
      case 'fill':
        return Array.from({ length: n - asked.n + 1 }, (_, index) => event(asked.n + index)).slice(0, 3);
      case 'confirm':
        return [{ type: 'checkpoint', checkpoint: statement(n, now), at: at(), asked }];
    }
  }

  function check(): void {
    const freshness = verifier.freshness(now, now - start);
    if (freshness.state === 'empty') return;
    for (let k = 1; k <= freshness.n; k++) if (!held.has(k)) throw new Error(`seed ${seed}: ${k} is counted and missing`);
    if (freshness.state !== 'fresh') return;
    fresh++;
    for (let k = 1; k <= n; k++) {
      const acknowledged = acknowledgedAt[k] ?? 0;
      // Acknowledged at F itself may be on either side.
      if (acknowledged < freshness.freshAtMs && !held.has(k)) throw new Error(`seed ${seed}: fresh at ${freshness.freshAtMs} without ${k}`);
      if (acknowledged < now - 5_000 && !held.has(k)) throw new Error(`seed ${seed}: ${k} was acknowledged more than S ago`);
    }
  }
}

test('whatever is lost, delayed, reordered or repeated, fresh means that nothing acknowledged more than S ago is missing', () => {
  const runs = Array.from({ length: 400 }, (_, index) => runSchedule(index + 1));
  // The schedules are of use only if the verifier is fresh most of the time.
  expect(runs.reduce((sum, { fresh }) => sum + fresh, 0)).toBeGreaterThan(400 * 200);
});
