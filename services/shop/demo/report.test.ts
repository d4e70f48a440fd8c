import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { createReport } from './report.ts';

function written(tell: (report: ReturnType<typeof createReport>) => void): readonly string[] {
  let text = '';
  tell(createReport((more) => (text += stripVTControlCharacters(more))));
  return text.split('\n').slice(0, -1);
}

test('numbers headings and marks what held and what did not', () => {
  const lines = written((report) => {
    report.heading('One');
    report.check(true, 'first', 'OK');
    report.heading('Two');
    report.check(false, 'second');
    expect([report.held, report.failed]).toEqual([1, 1]);
  });
  expect(lines).toEqual(['', '1. One', `   ✓ ${'first'.padEnd(54)} OK`, '', '2. Two', '   ✗ second']);
});

test('writes no line of more than 100 columns', () => {
  const words = 'word '.repeat(60).trim();
  const lines = written((report) => {
    report.check(true, words);
    report.check(true, words, 'PERMISSION_DENIED DELEGATION_NOT_ALLOWED');
    report.line('x'.repeat(200));
  });
  expect(Math.max(...lines.map(({ length }) => length))).toBe(100);
  expect(
    lines
      .filter((line) => line.includes('word'))
      .join(' ')
      .match(/word/g),
  ).toHaveLength(120);
});
