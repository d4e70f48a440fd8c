import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing.ts';
import { createWalCopier } from './wal-copier.ts';

let directory: ReturnType<typeof temporaryDirectory>;
let database: DatabaseSync;
beforeEach(() => {
  directory = temporaryDirectory();
  database = new DatabaseSync(join(directory.path, 'record.db'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE written (x); PRAGMA wal_checkpoint(TRUNCATE)');
});
afterEach(() => {
  if (database.isOpen) database.close();
  directory.remove();
});
const file = () => join(directory.path, 'record.db');

/** Rows in the database without its log. */
function copied(): number {
  copyFileSync(file(), `${file()}.alone`);
  const alone = new DatabaseSync(`${file()}.alone`);
  try {
    return Number(alone.prepare('SELECT count(*) AS rows FROM written').get()?.rows);
  } finally {
    alone.close();
  }
}

function commit(copier: { committed(): void }, times: number): void {
  for (let time = 0; time < times; time++) {
    database.exec('INSERT INTO written VALUES (1)');
    copier.committed();
  }
}

it('copies what was committed into the database, beside the connection that writes', async () => {
  const copier = createWalCopier(file());
  commit(copier, 63);
  expect(copied()).toBe(0);
  commit(copier, 1);
  await copier.close();
  expect(copied()).toBe(64);
  expect(database.prepare('SELECT count(*) AS rows FROM written').get()).toEqual({ rows: 64 });
});

it('holds the database no longer once it is closed, so that its last user leaves no log behind', async () => {
  const copier = createWalCopier(file());
  commit(copier, 160);
  await copier.close();
  database.close();
  // fails while somebody else has it open
  const alone = new DatabaseSync(file());
  expect(alone.prepare('PRAGMA journal_mode = DELETE').get()).toEqual({ journal_mode: 'delete' });
  alone.close();
});

it('does nothing that fails when the file cannot be opened, and ends', async () => {
  const copier = createWalCopier(join(directory.path, 'nowhere', 'record.db'));
  commit(copier, 128);
  await copier.close();
  expect(copied()).toBe(0);
});

it('lets a program end that waits for nothing else, and not before it is closed', () => {
  const script = `import { createWalCopier } from ${JSON.stringify(new URL('./wal-copier.ts', import.meta.url))};
    const copier = createWalCopier(${JSON.stringify(file())});
    for (let commit = 0; commit < 64; commit++) copier.committed();
    await copier.close();
    process.stdout.write('closed');`;
  expect(execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })).toBe('closed');
});
