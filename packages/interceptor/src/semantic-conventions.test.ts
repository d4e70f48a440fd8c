import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { spanAttributes, spanEvents, spanNames } from './semantic-conventions.ts';

const page = readFileSync(new URL('../../../docs/reference/semantic-conventions.md', import.meta.url), 'utf8');

/** The first cells of the tables in the sections of these titles. */
function rowsUnder(title: RegExp): string[] {
  return page
    .split(/^## /m)
    .filter((section) => title.test(section))
    .flatMap((section) => [...section.matchAll(/^\| `(tokenmesh\.[^`]+)` \|.*\|$/gm)].map(([, name = '']) => name))
    .sort();
}

it.each([
  ['attributes', /^Attributes of/, Object.values(spanAttributes)],
  ['events', /^Events/, Object.values(spanEvents)],
  ['spans', /^Spans/, Object.values(spanNames)],
])('are documented: the page has the %s of the code, each once, and no others', (_, title, names) => {
  expect(rowsUnder(title)).toEqual(names.toSorted());
});

it('are documented whole: every attribute has its type, its place, its condition, its meaning and an example', () => {
  const types = new Set(['string', 'string[]', 'boolean', 'int', 'double']);
  const rows = [...page.matchAll(/^\| `tokenmesh\.[^`]+` \| (\S+) \| [^|]+ \| [^|]+ \| [^|]+ \| `[^|]+` \|$/gm)];
  expect(rows).toHaveLength(Object.keys(spanAttributes).length);
  for (const [row, type = ''] of rows) expect(types, row).toContain(type);
});
