import { expect, it } from 'vitest';
import { createExpiryClock } from './expiry-clock.ts';

const hour = 3_600_000;

/** A machine at which both clocks show the same time passing, until the wall clock is set. */
function createMachine(passedMs = 0) {
  const machine = { wallMs: 10 * hour, monotonicMs: 7 };
  const clock = createExpiryClock({ now: () => machine.wallMs, monotonicNow: () => machine.monotonicMs, passedMs });
  return {
    clock,
    set: (byMs: number) => (machine.wallMs += byMs),
    pass: (ms: number) => ([machine.wallMs, machine.monotonicMs] = [machine.wallMs + ms, machine.monotonicMs + ms]),
  };
}

it('all three times are the wall clock’s while nobody sets it', () => {
  const { clock, pass } = createMachine();
  pass(5);
  expect([clock.now(), clock.earliest(), clock.latest()]).toEqual([10 * hour + 5, 10 * hour + 5, 10 * hour + 5]);
});

it('a wall clock that is set ahead makes nothing forgotten, and what is revoked meanwhile is remembered by it', () => {
  const { clock, set, pass } = createMachine();
  set(2 * hour);
  pass(5);
  expect([clock.now(), clock.earliest(), clock.latest()]).toEqual([12 * hour + 5, 10 * hour + 5, 12 * hour + 5]);
});

it('after it was ahead, what is revoked is remembered for as long as tokens that were issued then live', () => {
  const { clock, set } = createMachine();
  set(2 * hour);
  clock.now();
  set(-2 * hour);
  expect([clock.now(), clock.earliest(), clock.latest()]).toEqual([10 * hour, 10 * hour, 12 * hour]);
});

it('a wall clock that is set back does not shorten how long something is remembered', () => {
  const { clock, set } = createMachine();
  set(-2 * hour);
  expect([clock.now(), clock.earliest(), clock.latest()]).toEqual([8 * hour, 8 * hour, 10 * hour]);
});

it('a clock that is behind at the start is, for remembering, not behind what is known to have passed', () => {
  const { clock } = createMachine(11 * hour);
  expect([clock.now(), clock.earliest(), clock.latest()]).toEqual([10 * hour, 10 * hour, 11 * hour]);
});
