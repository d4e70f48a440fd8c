import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findUndocumented } from './doc-comments.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tokenmesh-doc-comments-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function undocumented(files: Readonly<Record<string, string>>): string[] {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return findUndocumented(join(directory, 'index.d.ts'));
}

const entry = "export { type Keys, type OpenOptions, open as openKeys, } from './keys.ts';\n";

it('finds nothing where every export and every option is told of', () => {
  const keys = `/** All keys. */
export type Keys = string;
/**
 * How to open them.
 */
export interface OpenOptions {
    readonly file: string;
    /** Default: now. */
    readonly at?: number;
}
/** Opens them. */
export declare function open(options: OpenOptions): Keys;
`;
  expect(undocumented({ 'index.d.ts': entry, 'keys.d.ts': keys })).toEqual([]);
});

it('names exports without a word, options without a default, and what is declared nowhere', () => {
  const keys = `export type Keys = string;
/** How to open them. */
export interface OpenOptions {
    readonly file: string;
    readonly at?: number;
    then?(): void;
}
`;
  expect(undocumented({ 'index.d.ts': entry, 'keys.d.ts': keys })).toEqual([
    'Keys',
    'OpenOptions.at',
    'OpenOptions.then',
    expect.stringMatching(/^open: no declaration/),
  ]);
});

it('follows what is passed on, and looks at what an entry point declares itself', () => {
  const own = "/* no doc comment */\nexport declare const life = 5;\nexport type { Keys } from './deeper.ts';\n";
  const deeper = "export type { Keys } from './keys.ts';\n";
  expect(undocumented({ 'index.d.ts': own, 'deeper.d.ts': deeper, 'keys.d.ts': 'export type Keys = 1;\n' })).toEqual(['life', 'Keys']);
});

it('does not take the end of another comment for a word', () => {
  expect(undocumented({ 'index.d.ts': '/* eslint-disable */\nexport declare class Key {}\n' })).toEqual(['Key']);
});
