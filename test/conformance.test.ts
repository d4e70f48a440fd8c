import { describe, expect, it } from 'vitest';
import { type ConformanceRow, problemWithTest, readConformance, testFileOf } from './conformance.ts';

const standards = ['RFC 8693', 'RFC 9068', 'RFC 7662', 'RFC 7009', 'RFC 8705', 'RFC 9449', 'RFC 7523', 'RFC 8414'];

function problemWith(row: Omit<ConformanceRow, 'standard'>): string | undefined {
  const { section, demand, file, title, kind } = row;
  if (!section || !demand) return 'a row without section or demand';
  if (file === 'none yet') return title || kind ? 'a test without a file' : undefined;
  const path = testFileOf(row);
  return path === undefined ? `${file} is no test file` : problemWithTest(path, title, kind);
}

describe('docs/reference/conformance.md', () => {
  const rows = readConformance();

  it.each(standards)('has rows for %s', (name) => {
    expect(rows.filter(({ standard }) => standard.startsWith(name)).length).toBeGreaterThanOrEqual(5);
  });

  it('names tests that are there', () => {
    const problems = rows.flatMap((row) => {
      const problem = problemWith(row);
      return problem === undefined ? [] : `${row.standard}, ${row.section}: ${problem}`;
    });
    expect(problems).toEqual([]);
    expect(rows.length).toBeGreaterThan(60);
  });

  it.each([
    [['1', 'a demand', 'nothing', '', ''], 'nothing is no test file'],
    [['1', 'a demand', '`services/none.test.ts`', 'a test', ''], 'there is no services/none.test.ts'],
    [
      ['1', 'a demand', '`packages/token/src/scope.test.ts`', 'has no such title', ''],
      'packages/token/src/scope.test.ts has no test "has no such title"',
    ],
    [['1', 'a demand', 'none yet', 'a title', ''], 'a test without a file'],
  ])('would say so of %j', ([section = '', demand = '', file = '', title = '', kind = ''], problem) => {
    expect(problemWith({ section, demand, file, title, kind })).toBe(problem);
  });
});
