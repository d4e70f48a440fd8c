import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId, temporaryDirectory } from '../testing.ts';
import { migrateDown, migrateToLatest } from './migrations.ts';
import { createKysely, openSqliteStore, StoreRestoredError } from './sqlite.ts';
import { StoreInUseError } from './sqlite-fence.ts';
import type { Store } from './store.ts';
import { testStore } from './store-contract.ts';

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

  describe('that was restored from a backup', () => {
    const file = () => join(directory.path, 'record.db');
    const append = (store: Store, n: number) =>
      store.transaction((transaction) =>
        transaction.appendEvent({ n, compact: 'c', hash: `h${n}`, t: n, sent: true }, [
          { kind: 'subject', value: 's', exp: 100, n, t: n, revokedBy: 'o', note: '' },
        ]),
      );
    /** A backup of the record as it stands, made while it is open: the way back to it. */
    const backUp = () => {
      const database = new DatabaseSync(file());
      database.exec(`VACUUM INTO '${file()}.backup'`);
      database.close();
      return () => {
        for (const suffix of ['', '-wal', '-shm']) rmSync(`${file()}${suffix}`, { force: true });
        copyFileSync(`${file()}.backup`, file());
      };
    };

    it('is refused when the same process had written on after the backup', async () => {
      const store = await open();
      await append(store, 1);
      const restore = backUp();
      await append(store, 2);
      await store.close();
      restore();
      await expect(open()).rejects.toThrow(StoreRestoredError);
      await expect(open()).rejects.toThrow(/log at 1; seen \d times, at 2\): .*begin-epoch/);
    });

    it('is refused when the process was killed a turn of the event loop after the last commit', async () => {
      const store = await open();
      await append(store, 1);
      const restore = backUp();
      await append(store, 2);
      await turn();
      const kept = ['', '-wal'].map((suffix) => [`${file()}.lock${suffix}`, `${file()}.kept${suffix}`] as const);
      for (const [lock, copy] of kept) copyFileSync(lock, copy);
      await store.close();
      restore();
      for (const [lock, copy] of kept) copyFileSync(copy, lock);
      await expect(open()).rejects.toThrow(/log at 1; seen \d times, at 2\)/);
    });

    it('is refused when it was only opened again since, and taken when nothing happened since', async () => {
      const first = await open();
      await append(first, 1);
      const restore = backUp();
      await first.close();
      restore();
      await (await open()).close();
      restore();
      await expect(open()).rejects.toThrow(StoreRestoredError);
    });

    it('opens to begin a new epoch', async () => {
      const store = await open();
      const restore = backUp();
      await append(store, 1);
      await store.close();
      restore();
      await (await openSqliteStore(file(), { newId, acceptRestored: true })).close();
    });

    it('is not mistaken for one when the process was killed, or the record was written to a new place', async () => {
      const store = await open();
      await append(store, 1);
      await store.close();
      rmSync(`${file()}.lock`);
      const moved = await open();
      expect((await moved.head()).n).toBe(1);
      await moved.close();
    });
  });

  it('takes no transaction, and tells no position, once another process has opened it all the same', async () => {
    const store = await open();
    await store.transaction((transaction) => transaction.useAssertionId('a', 'j', 1));
    const other = new DatabaseSync(join(directory.path, 'record.db'));
    other.exec("UPDATE meta SET value = value + 1 WHERE key = 'generation'"); // what opening does, where the lock does not work
    other.close();
    await expect(store.transaction((transaction) => transaction.useAssertionId('a', 'k', 1))).rejects.toThrow(StoreRestoredError);
    await expect(store.head()).rejects.toThrow(StoreRestoredError); // no checkpoint: it could not know what the other has revoked
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
    for (let held = all.length; held > 0; held = tables().length) await migrateDown(db);
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
