import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);

/** A row of docs/reference/conformance.md. */
export interface ConformanceRow {
  /** Its heading, such as `RFC 8693, token exchange`. */
  readonly standard: string;
  readonly section: string;
  readonly demand: string;
  /** As it stands there: a path in backticks, or `none yet`. */
  readonly file: string;
  readonly title: string;
  /** Empty when the test is one case, or all of its cases are meant. */
  readonly kind: string;
}

/** The rows, in their order. A row that lacks cells has empty ones. */
export function readConformance(): readonly ConformanceRow[] {
  let standard = '';
  return readFileSync(new URL('docs/reference/conformance.md', root), 'utf8')
    .split('\n')
    .flatMap((line) => {
      if (line.startsWith('## ')) standard = line.slice(3);
      if (!line.startsWith('| ') || line.startsWith('| section')) return [];
      const [section = '', demand = '', file = '', title = '', kind = ''] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return { standard, section, demand, file, title, kind };
    });
}

/** The path of a row's test file; undefined when the cell holds none. */
export function testFileOf(row: Pick<ConformanceRow, 'file'>): string | undefined {
  return /^`([\w./-]+\.test\.ts)`$/.exec(row.file)?.[1];
}

/**
 * What is wrong with the name of a test, in words; undefined when it is there.
 *
 * @param path From the root.
 * @param title As the file spells it, one whole literal.
 * @param kind A literal of the same file, for one case of a table; empty: none is named.
 */
export function problemWithTest(path: string, title: string, kind = ''): string | undefined {
  const location = fileURLToPath(new URL(path, root));
  if (!existsSync(location)) return `there is no ${path}`;
  const source = readFileSync(location, 'utf8');
  if (!title || !hasLiteral(source, title)) return `${path} has no test "${title}"`;
  return kind && !hasLiteral(source, kind) ? `${path} has no case "${kind}"` : undefined;
}

/** Whether a source text has this text as a whole literal. */
function hasLiteral(source: string, text: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${text}${quote}`));
}
