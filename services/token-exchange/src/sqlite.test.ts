import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrateDown, migrateToLatest } from './migrations.ts';
import { createKysely, openSqliteStore, StoreInUseError } from './sqlite.ts';
import { testStore } from './store-contract.ts';
import { newId, temporaryDirectory } from './testing.ts';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());
const open = () => openSqliteStore(join(directory.path, 'record.db'), { newId });

testStore('SQLite', open);

describe('an SQLite record', () => {
  it('is refused to a second store in the same process, and free again after the first was closed', async () => {
    const first = await open();
    await expect(open()).rejects.toThrow(StoreInUseError);
    await expect(open()).rejects.toThrow(/record\.db\.lock is held by another process/);
    await first.close();
    await (await open()).close();
  });

  it('is refused while another process holds it, and free as soon as that one was killed', async () => {
    const source = fileURLToPath(new URL('./sqlite.ts', import.meta.url));
    const script = `import { openSqliteStore } from ${JSON.stringify(source)};
      await openSqliteStore(${JSON.stringify(join(directory.path, 'record.db'))}, { newId: () => 'e1' });
      console.log('open'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    try {
      await once(child.stdout, 'data');
      await expect(open()).rejects.toThrow(StoreInUseError);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
    const store = await open();
    expect((await store.head()).epoch).toBe('e1');
    await store.close();
  });

  it('can be read by its owner alone', async () => {
    const store = await open();
    expect(statSync(join(directory.path, 'record.db')).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory.path, 'record.db.lock')).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it('writes ahead and waits for the disk at every commit', async () => {
    const store = await open();
    const reader = new DatabaseSync(join(directory.path, 'record.db'), { readOnly: true });
    expect(reader.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    reader.close();
    await store.close();
  });

  it('migrates forward and back and forward again', async () => {
    const database = new DatabaseSync(':memory:');
    const db = createKysely(database);
    const tables = () =>
      database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'kysely%' ORDER BY name")
        .all()
        .map((row) => row.name);
    await migrateToLatest(db);
    const all = tables();
    expect(all).toContain('revocation_events');
    await migrateDown(db);
    expect(tables()).toEqual([]);
    await migrateToLatest(db);
    expect(tables()).toEqual(all);
    await db.destroy();
  });

  it('leaves nothing of a migration that fails half-way', async () => {
    const database = new DatabaseSync(':memory:');
    database.exec('CREATE TABLE suspended_workloads (x TEXT)');
    const db = createKysely(database);
    await expect(migrateToLatest(db)).rejects.toThrow('already exists');
    expect(database.prepare("SELECT name FROM sqlite_master WHERE name = 'meta'").get()).toBeUndefined();
    await db.destroy();
  });
});
