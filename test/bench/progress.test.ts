import { expect, it } from 'vitest';
import { createProgress } from './progress.ts';

const suites = [
  { name: 'calls', seconds: 50 },
  { name: 'streams', seconds: 75 },
];

function written(isTTY: boolean, given: Parameters<typeof createProgress>[0] = suites) {
  const texts: string[] = [];
  const clock = { ms: 0 };
  const stream = { isTTY, write: (text: string) => texts.push(text) };
  return { texts, clock, progress: createProgress(given, stream, () => clock.ms) };
}

it('says on a terminal which suite of how many does what, and how long all of them will still take', () => {
  const { texts, clock, progress } = written(true);
  progress.begin('calls');
  clock.ms = 20_000;
  progress.report('round 3 of 10');
  progress.end();
  progress.begin('streams');
  progress.report('round 1 of 10');
  expect(texts).toEqual([
    '\r\x1b[Kcalls, suite 1 of 2, about 1:45 min left: round 3 of 10',
    '\r\x1b[K',
    '\r\x1b[Kstreams, suite 2 of 2, about 1:15 min left: round 1 of 10',
  ]);
});

it('takes nothing off the later suites when one lasts longer than the last time', () => {
  const { texts, clock, progress } = written(true);
  progress.begin('calls');
  clock.ms = 80_000;
  progress.report('round 9 of 10');
  expect(texts).toEqual(['\r\x1b[Kcalls, suite 1 of 2, about 1:15 min left: round 9 of 10']);
});

it('says nothing of the time that is left when a suite that is to come was never recorded', () => {
  const { texts, progress } = written(true, [{ name: 'streams', seconds: undefined }, ...suites]);
  progress.begin('streams');
  progress.report('starting');
  expect(texts).toEqual(['\r\x1b[Kstreams, suite 1 of 3: starting']);
});

it('writes one line for each suite into a log, and nothing of its rounds', () => {
  const { texts, progress } = written(false);
  for (const { name } of suites) {
    progress.begin(name);
    progress.report('round 1 of 10');
    progress.end();
  }
  expect(texts).toEqual(['calls, suite 1 of 2, about 2:05 min left\n', 'streams, suite 2 of 2, about 1:15 min left\n']);
});
