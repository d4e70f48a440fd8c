import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { tokensIn } from './tokens-in.ts';

const jws = /eyJ[\w-]+\.[\w-]+\.[\w-]+/g;
// Of an opaque token 256 random bits stand behind the prefix. A hash has 43 characters in all: one in a few hundred thousand has the prefix among them.
const tooShort = /\btm_(?![\w-]{43})/g;
// Twice as long as an opaque token: what is sealed is written in one run, and in a thousand characters of it the prefix stands once in ten thousand times.
const sealed = /[\w-]{100,}/g;
/** What the revocation feed signs for every verifier to read: a record keeps it, and it admits nobody. */
const statements: ReadonlySet<unknown> = new Set(['secevent+jwt', 'checkpoint+jwt', 'snapshot+jwt']);

/**
 * What `tokensIn` finds in what is written to a record, or read from one: without the statements of the revocation feed, and without hashes and sealed
 * values that have the prefix of an opaque token by chance, which among so many some would. What is encoded and not sealed is found as it was before.
 */
export function tokensInRecord(text: string): string[] {
  const unknown = text.replace(jws, (compact) => (statements.has(typeOf(compact)) ? '' : compact));
  return tokensIn(unknown.replace(sealed, (run) => run.replaceAll('tm_', 'TM_')).replace(tooShort, ''));
}

function typeOf(compact: string): unknown {
  try {
    return (JSON.parse(Buffer.from(compact.slice(0, compact.indexOf('.')), 'base64url').toString()) as { typ?: unknown }).typ;
  } catch {
    return undefined;
  }
}

/** The same of every value in the SQLite databases of a directory, `file table: found`. A file that is no database has no values. */
export function tokensInDatabases(directory: string): string[] {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.db'));
  return files.flatMap((file) => tokensInSqlite(join(directory, file)).map((found) => `${file} ${found}`));
}

function tokensInSqlite(file: string): string[] {
  // loaded where there is a database: it says that it is experimental
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const database = new DatabaseSync(file);
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[]; // as it is asked
    return tables.flatMap(({ name }) => tokensInTable(database, name).map((found) => `${name}: ${found}`));
  } catch (error) {
    if ((error as { errcode?: number }).errcode === notADatabase) return [];
    throw error;
  } finally {
    database.close();
  }
}

const notADatabase = 26;

function tokensInTable(database: DatabaseSync, table: string): string[] {
  const select = database.prepare(`SELECT * FROM "${table}"`);
  select.setReadBigInts(true);
  const found: string[] = [];
  for (const row of select.iterate()) {
    for (const value of Object.values(row)) {
      if (typeof value === 'string') found.push(...tokensInRecord(value));
      else if (value instanceof Uint8Array) found.push(...tokensInRecord(Buffer.from(value).toString('latin1')));
    }
  }
  return found;
}
