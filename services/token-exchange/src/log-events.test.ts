import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { logEvents } from './log-events.ts';
import { createTestLog } from './testing.ts';

const page = readFileSync(new URL('../../../docs/reference/logs.md', import.meta.url), 'utf8');
const source = fileURLToPath(new URL('.', import.meta.url));
const described = Object.entries(logEvents).map(([event, { levels, members }]) => ({ event, levels: [...levels], members: [...members] }));

/** What a table cell has in code spans. */
const named = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

it('docs/reference/logs.md lists every event with its levels and members, and no other', () => {
  const own = page.slice(page.indexOf('## token-exchange'), page.indexOf('## The shop'));
  const rows = own.split('\n').filter((line) => line.startsWith('| `'));
  const listed = rows.map((row) => {
    const [, event = '', levels = '', members = '', when = ''] = row.split('|');
    expect(when.trim(), event).not.toBe('');
    return { event: named(event).join(), levels: named(levels), members: named(members) };
  });
  expect(listed).toEqual(described);
});

it('has no event that nothing in the code writes', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (file) => /(?<!\.test)\.ts$/.test(file) && !/log-events/.test(file),
  );
  const code = files.map((file) => readFileSync(join(source, file), 'utf8')).join('\n');
  // names that are put together stand in the code with a hole
  const written = [...code.matchAll(/'([a-z_.]+)'|`((?:revocation|stream)\.\$\{[^`]+)`/g)].map(([, name, template]) =>
    name === undefined ? new RegExp(`^${template?.replace(/\$\{[^}]*\}/g, '[a-z_]+').replace('.', '\\.')}$`) : name,
  );
  const isWritten = (event: string) => written.some((found) => (typeof found === 'string' ? found === event : found.test(event)));
  expect(described.map(({ event }) => event).filter((event) => !isWritten(event))).toEqual([]);
});

it('lets no test write a member or a level that is not listed', () => {
  expect(() => createTestLog().info({ event: 'stopping', signal: 'SIGTERM', more: 1 })).toThrow('stopping: more');
  expect(() => createTestLog().warn({ event: 'stopping', signal: 'SIGTERM' })).toThrow('stopping: warn');
});
