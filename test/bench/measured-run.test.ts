import { expect, it } from 'vitest';
import type { Figure } from './measure.ts';
import { describeRun, type MeasuredSuite, runDocument, runFacts } from './measured-run.ts';

const met: Figure = { name: 'P1', unit: '×', value: 0.95, spread: [0.9, 1], target: { atLeast: 0.92 } };
const missed: Figure = { name: 'P3', unit: '×', value: 1.2, spread: [1.1, 1.3], target: { atMost: 1.08 } };
const plain: Figure = { name: 'throughput', unit: '/s', value: 8_000, spread: [7_000, 9_000] };
const suite = (name: string, ...figures: readonly Figure[]): MeasuredSuite => ({
  suite: name,
  seconds: 40,
  checks: ['it is right'],
  figures,
});
const facts = runFacts(true, () => Date.UTC(2026, 10, 23));

it('says that everything holds only when every target of every suite is met', () => {
  const held = runDocument(facts, [suite('calls', met, plain), suite('verify', met)]);
  expect(held).toMatchObject({ holds: true, suites: [{ suite: 'calls', holds: true }, { holds: true }] });
  const document = runDocument(facts, [suite('calls', met), suite('verify', met, missed)]);
  expect(document).toMatchObject({
    holds: false,
    suites: [{ holds: true }, { holds: false, figures: [{ holds: true }, { holds: false }] }],
  });
});

it('says what broke, and that then not everything holds', () => {
  const broken = [{ suite: 'streams', error: 'a revocation did not arrive' }];
  expect(runDocument(facts, [suite('calls', met)], broken)).toMatchObject({ holds: false, suites: [{ holds: true }], broken });
  expect(runDocument(facts, [suite('calls', met)])).not.toHaveProperty('broken');
});

it('says of a run when and on what it was, how long it took, and what was checked', () => {
  expect(runDocument(facts, [suite('calls', met)])).toMatchObject({
    ...{
      startedAt: '2026-11-23T00:00:00.000Z',
      quick: true,
      node: process.versions.node,
      grpcJs: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    },
    ...{ processors: expect.any(Number), cpu: expect.any(String) },
    suites: [{ seconds: 40, checks: ['it is right'], series: [] }],
  });
  expect(describeRun(facts)).toMatch(/^2026-11-23, .*× .*, Node \d+\.\d+\.\d+, grpc-js \d+\.\d+\.\d+, --quick$/);
});

it('knows nothing of the machine by which somebody could find it', () => {
  expect(Object.keys(facts).sort()).toEqual(
    ['commit', 'cpu', 'grpcJs', 'node', 'processors', 'quick', 'startedAt'].filter((key) => key in facts),
  );
});
