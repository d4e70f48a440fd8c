import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url);
const table = readFileSync(new URL('docs/reference/conformance.md', root), 'utf8');
const standards = ['RFC 8693', 'RFC 9068', 'RFC 7662', 'RFC 7009', 'RFC 8705', 'RFC 9449', 'RFC 7523', 'RFC 8414'];

interface Row {
  readonly standard: string;
  readonly cells: readonly string[];
}

function readRows(): readonly Row[] {
  let standard = '';
  return table.split('\n').flatMap((line) => {
    if (line.startsWith('## ')) standard = line.slice(3);
    if (!line.startsWith('| ') || line.startsWith('| section')) return [];
    return {
      standard,
      cells: line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    };
  });
}

/** Whether a source text has this text as a whole literal. */
function hasLiteral(source: string, text: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${text}${quote}`));
}

function problemWith([section = '', demand = '', file = '', title = '', kind = '']: readonly string[]): string | undefined {
  if (!section || !demand) return 'a row without section or demand';
  if (file === 'none yet') return title || kind ? 'a test without a file' : undefined;
  const [, path] = /^`([\w./-]+\.test\.ts)`$/.exec(file) ?? [];
  if (path === undefined) return `${file} is no test file`;
  const location = fileURLToPath(new URL(path, root));
  if (!existsSync(location)) return `there is no ${path}`;
  const source = readFileSync(location, 'utf8');
  if (!title || !hasLiteral(source, title)) return `${path} has no test "${title}"`;
  return kind && !hasLiteral(source, kind) ? `${path} has no case "${kind}"` : undefined;
}

describe('docs/reference/conformance.md', () => {
  const rows = readRows();

  it.each(standards)('has rows for %s', (name) => {
    expect(rows.filter(({ standard }) => standard.startsWith(name)).length).toBeGreaterThanOrEqual(5);
  });

  it('names tests that are there', () => {
    const problems = rows.flatMap(({ standard, cells }) => {
      const problem = problemWith(cells);
      return problem === undefined ? [] : `${standard}, ${cells[0]}: ${problem}`;
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
  ])('would say so of %j', (cells, problem) => {
    expect(problemWith(cells)).toBe(problem);
  });
});
