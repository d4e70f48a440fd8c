import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { charts } from './charts.ts';
import { suites } from './suites.ts';

const here = import.meta.dirname;
const docs = join(here, '../../docs');
const reference = readFileSync(join(docs, 'reference/benchmarks.md'), 'utf8');
const explanation = readFileSync(join(docs, 'explanation/performance.md'), 'utf8');
const sources = readdirSync(here)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  .map((file) => readFileSync(join(here, file), 'utf8'));

it('documents every suite, in its table of what is measured beside what, and no other', () => {
  const [, table = ''] = reference.split('## What each measures');
  const rows = [...(table.split('\n## ')[0]?.matchAll(/^\| `(\w+)` \|/gm) ?? [])].map(([, name]) => name);
  expect(rows.sort()).toEqual(Object.keys(suites).sort());
});

it('has a figure for each of the targets P1 to P18, and says in its help which suite has it', () => {
  const named = (text: string) =>
    new Set([...text.matchAll(/\bP(\d+)(?: to P(\d+))?\b/g)].flatMap(([, from, to]) => range(Number(from), Number(to ?? from))));
  const all = range(1, 18);
  const inFigures = new Set(sources.flatMap((source) => [...source.matchAll(/['`]P(\d+)\b/g)].map(([, id]) => Number(id))));
  expect([...inFigures].sort((a, b) => a - b)).toEqual(all);
  const inHelp = named(
    Object.values(suites)
      .map(({ about }) => about)
      .join(' '),
  );
  expect([...inHelp].sort((a, b) => a - b)).toEqual(all);
});

it('names the figures of its documentation as it prints them, and documents each that has a target', () => {
  const [, last = ''] = reference.split('## Last figures');
  const rows = [...last.matchAll(/^\| (P\d+|A\/A|F18) \| `(\w+)`: (.+?) \|/gm)].map(([, id, suite = '', name]) => {
    expect(Object.keys(suites)).toContain(suite);
    return { full: `${id} ${name}`, name: `${name}` };
  });
  expect(rows.length).toBeGreaterThan(50);
  const printed = figureNames();
  const unknown = rows.filter(({ full, name }) => !printed.some(({ pattern }) => pattern.test(full) || pattern.test(name)));
  expect(unknown).toEqual([]);
  const targets = printed.filter(({ written }) => /^(P\d+|A\/A|F18) /.test(written));
  const undocumented = targets.filter(({ pattern }) => !rows.some(({ full }) => pattern.test(full)));
  expect(undocumented.map(({ written }) => written)).toEqual([]);
});

/** Names that figures have, as the sources write them: whatever a run puts in between fits. */
function figureNames() {
  const names = sources.flatMap((source) =>
    [...source.matchAll(/(?:(?:summarize|apart)\(|name:)\s*(['`])(.*?)\1/gs)].map(([, , name = '']) => name),
  );
  return names.flatMap((written) => {
    const parts = written.trim().split(/\$\{[^}]*\}/);
    return parts.some((part) => /\w/.test(part)) ? [{ written, pattern: new RegExp(`^${parts.map(escapeRegExp).join('.*')}$`) }] : [];
  });
}

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

it('shows every chart that can be drawn, from a file that is there and says which run it is of', () => {
  const shown = [...explanation.matchAll(/!\[([^\]]+)\]\(performance\/([\w-]+)\.svg\)/g)].map(([, title, name]) => [name, title]);
  expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(Object.entries(charts).map(([name, { title }]) => [name, title])));
  for (const [name] of shown) {
    const file = join(docs, `explanation/performance/${name}.svg`);
    expect(existsSync(file), file).toBe(true);
    expect(readFileSync(file, 'utf8')).toMatch(/<text class="run"[^>]*>\d{4}-\d\d-\d\d, /);
  }
});

it('draws lines only into charts that there are, and has a suite that offers each', () => {
  const offered = new Set(
    sources.flatMap((source) =>
      Object.keys(charts).filter((name) => source.includes(`'${name}'`) && !source.includes('export const charts')),
    ),
  );
  expect([...offered].sort()).toEqual(Object.keys(charts).sort());
});
