import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import type { Figure } from './measure.ts';
import { formatSuite, formatVerdicts } from './print-result.ts';

const plain: Figure = { name: 'throughput', unit: '/s', value: 8_000, spread: [7_000, 9_000] };
const met: Figure = { name: 'P1 throughput / bare', unit: '×', value: 0.95, spread: [0.9, 1], target: { atLeast: 0.92 } };
const missed: Figure = { name: 'P14 p99', unit: 'ms', value: 120.4, spread: [110, 130], target: { atMost: 100 } };
const suite = (name: string, ...figures: readonly Figure[]) => ({ suite: name, seconds: 61, checks: ['it is right'], figures });

it('lists after a run each figure that has a target, with its value and the target: those that miss it first', () => {
  const text = stripVTControlCharacters(formatVerdicts([suite('calls', plain, met), suite('revocation', missed)]));
  expect(text.split('\n')).toEqual([
    '1 of 2 targets are met',
    '  missed  revocation  P14 p99                    120 ms  ≤ 100',
    '  holds   calls       P1 throughput / bare      0.95 ×   ≥ 0.92',
  ]);
});

it('shows of a suite every figure with its quartiles, its checks, and that a quick run of it took too long', () => {
  const lines = stripVTControlCharacters(formatSuite(suite('calls', plain, met), true)).split('\n');
  expect(lines).toEqual([
    'calls  61 s, longer than 60 s',
    '  throughput                8000 /s  (7000 … 9000)',
    '  P1 throughput / bare      0.95 ×   (0.90 … 1.00)  ≥ 0.92 holds',
    '  checked: it is right',
  ]);
  expect(stripVTControlCharacters(formatSuite(suite('calls', met), false))).toMatch(/^calls {2}61 s\n/);
});
