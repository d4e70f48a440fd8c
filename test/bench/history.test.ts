import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { compare, hasRegressed, lastRecorded, readHistory, recordRun } from './history.ts';
import type { Figure } from './measure.ts';
import type { MeasuredSuite, RunFacts } from './measured-run.ts';

const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-history-'));
afterAll(() => rmSync(directory, { recursive: true }));

const facts: RunFacts = {
  startedAt: '2026-11-23T10:00:00.000Z',
  quick: true,
  cpu: 'AMD EPYC',
  processors: 2,
  node: '24.21.0',
  grpcJs: '1.14.7',
};
const throughput = (value: number, spread: readonly [number, number] = [value - 0.02, value + 0.02]): Figure => ({
  ...{ name: 'P1 throughput / bare', unit: '×', value, spread, target: { atLeast: 0.92 } },
});
const apart = (value: number): Figure => ({ name: 'A/A bare', unit: '%', value, spread: [0, 1], target: { atMost: 4 } });
const suite = (...figures: readonly Figure[]): MeasuredSuite => ({ suite: 'calls', seconds: 50, checks: [], figures });

let files = 0;
async function recorded(...figures: readonly Figure[]) {
  const file = join(directory, `${files++}.jsonl`);
  await recordRun(file, facts, [suite(...figures)]);
  return await readHistory(file);
}

it('keeps ratios and bytes with their quartiles, how long it took, the machine, and no figure that another one would measure differently', async () => {
  const history = await recorded(
    throughput(0.931234),
    { name: 'P4 bytes', unit: 'B', value: 444, spread: [444, 445] },
    { name: 'throughput: bare', unit: '/s', value: 8_000, spread: [7_000, 9_000] },
  );
  expect(history).toEqual([
    { suite: 'calls', seconds: 50, ...facts, figures: { 'P1 throughput / bare': [0.9312, 0.9112, 0.9512], 'P4 bytes': [444, 444, 445] } },
  ]);
});

it('compares with the last run of the suite that had as many slices', async () => {
  const file = join(directory, 'several.jsonl');
  await recordRun(file, facts, [suite(throughput(0.8))]);
  await recordRun(file, facts, [suite(throughput(0.9))]);
  await recordRun(file, { ...facts, quick: false }, [suite(throughput(0.7))]);
  await recordRun(file, facts, [{ ...suite(throughput(0.6)), suite: 'streams' }]);
  const history = await readHistory(file);
  expect(lastRecorded(history, 'calls', false)?.figures).toMatchObject({ 'P1 throughput / bare': [0.7, 0.68, 0.72] });
  const { changes } = compare(history, facts, suite(throughput(0.91)));
  expect(changes).toMatchObject([{ before: 0.9, after: 0.91 }]);
});

it('says nothing of a suite that was never recorded, and of a history that is not there', async () => {
  const history = await readHistory(join(directory, 'none.jsonl'));
  expect(history).toEqual([]);
  const comparison = compare(history, facts, suite(throughput(0.5)));
  expect(comparison).toEqual({ suite: 'calls', changes: [], missing: [], isBusy: false });
  expect(hasRegressed(comparison)).toBe(false);
});

it('finds a regression where either median lies outside of the other run’s quartiles, on the side away from the target', async () => {
  const history = await recorded(throughput(0.93));
  const after = (value: number, spread?: readonly [number, number]) => compare(history, facts, suite(throughput(value, spread)));
  expect(hasRegressed(after(0.9))).toBe(true);
  expect(hasRegressed(after(0.911))).toBe(false); // within the recorded quartiles
  expect(hasRegressed(after(0.9, [0.87, 0.93]))).toBe(false); // the recorded median within its own
  expect(hasRegressed(after(0.9, [0.87, 0.929]))).toBe(true);
  expect(hasRegressed(after(0.99))).toBe(false);
  expect(after(0.99).changes).toMatchObject([{ isBeyondSpread: true, isWorse: false }]);
});

it('knows which way is worse for figures that are to be small, and of those without a target that it does not know', async () => {
  const cost: Figure = { name: 'P3 total CPU / bare', unit: '×', value: 1.05, spread: [1.04, 1.06], target: { atMost: 1.08 } };
  const plain: Figure = { name: 'server CPU / bare', unit: '×', value: 1.05, spread: [1.04, 1.06] };
  const history = await recorded(cost, plain);
  const more = { value: 1.2, spread: [1.1, 1.3] } as const;
  expect(hasRegressed(compare(history, facts, suite({ ...cost, ...more })))).toBe(true);
  expect(hasRegressed(compare(history, facts, suite({ ...cost, value: 0.9, spread: [0.8, 1] })))).toBe(false);
  const { changes } = compare(history, facts, suite({ ...plain, ...more }));
  expect(changes).toMatchObject([{ isBeyondSpread: true, isWorse: undefined }]);
});

it('does not take what is measured once for exact', async () => {
  const memory = (value: number): Figure => ({ name: 'P6 memory', unit: 'B', value, spread: [value, value], target: { atMost: 1024 } });
  const history = await recorded(memory(900));
  expect(hasRegressed(compare(history, facts, suite(memory(918))))).toBe(false);
  expect(hasRegressed(compare(history, facts, suite(memory(919))))).toBe(true);
});

it('names figures that were recorded and are not measured any more', async () => {
  const history = await recorded(throughput(0.93), { ...throughput(1), name: 'P2 throughput / jose' });
  expect(compare(history, facts, suite(throughput(0.93))).missing).toEqual(['P2 throughput / jose']);
});

it('does not judge a run on a machine that measured the same thing differently', async () => {
  const history = await recorded(throughput(0.93), apart(1));
  expect(hasRegressed(compare(history, facts, suite(throughput(0.5), apart(4))))).toBe(true);
  const busy = compare(history, facts, suite(throughput(0.5), apart(4.1)));
  expect(busy.isBusy).toBe(true);
  expect(hasRegressed(busy)).toBe(false);
});

it('says that a history is broken instead of comparing with a part of it', async () => {
  const file = join(directory, 'broken.jsonl');
  writeFileSync(file, '{"suite":"calls"\n');
  await expect(readHistory(file)).rejects.toThrow(SyntaxError);
});
