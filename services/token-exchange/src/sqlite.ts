import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import {
  Kysely,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type SqliteStatement,
} from 'kysely';
import type { Tables } from './migrations.ts';
import { openStore, type Store } from './store.ts';

/** The database is in use: two writers would each believe they knew the last position of the revocation log. */
export class StoreInUseError extends Error {
  override readonly name = 'StoreInUseError';
}

/**
 * Opens the record in one SQLite file, created with mode 0600 when it is not there.
 *
 * Every commit is on the disk before it is acknowledged (WAL, `synchronous=FULL`). One process at a time: `<file>.lock` is held for as
 * long as the store is open, and the operating system lets go of it when the process dies, however it dies.
 *
 * @throws {StoreInUseError} When another store has the file open, in this process or another.
 */
export async function openSqliteStore(file: string, options: { newId: () => string }): Promise<Store> {
  const lock = acquireLock(`${file}.lock`);
  try {
    touchPrivate(file);
    const database = new DatabaseSync(file);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    return await openStore(createKysely(database), { ...options, onClose: () => lock.close() });
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Kysely over an open database; `destroy()` closes it. */
export function createKysely(database: DatabaseSync): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createDriver: () => new SqliteDriver({ database: adapt(database) }),
      createQueryCompiler: () => new SqliteQueryCompiler(),
      createAdapter: () => new TransactionalSqliteAdapter(),
      createIntrospector: (db) => new SqliteIntrospector(db),
    },
  });
}

/** SQLite does undo schema changes with a transaction; Kysely's default plays safe for foreign keys, which this schema has none of. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** Statements kept prepared; the repository has some thirty, and a few variants for lists. */
const maxStatements = 200;

/** The part of better-sqlite3 that Kysely speaks, over node:sqlite. */
function adapt(database: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    prepare(sql) {
      let statement = statements.get(sql);
      if (!statement) {
        if (statements.size >= maxStatements) statements.clear();
        statement = adaptStatement(database.prepare(sql));
        statements.set(sql, statement);
      }
      return statement;
    },
    close: () => database.close(),
  };
}

function adaptStatement(statement: StatementSync): SqliteStatement {
  // Kysely passes what the repository gave it: text and numbers, nothing else is in the schema
  const bindable = (parameters: readonly unknown[]) => parameters as readonly SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...bindable(parameters)),
    run: (parameters) => statement.run(...bindable(parameters)),
    iterate: (parameters) => statement.iterate(...bindable(parameters)),
  };
}

/** SQLITE_BUSY, the primary result code. */
const busy = 5;

// An SQLite file as lock: Node has no flock, a file with a pid in it outlives a kill -9, and pids are reused. SQLite holds fcntl locks.
function acquireLock(file: string): DatabaseSync {
  touchPrivate(file);
  const lock = new DatabaseSync(file);
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if ((error as { errcode?: unknown }).errcode !== busy) throw error;
    throw new StoreInUseError(`${file} is held by another process: one token-exchange at a time may use an SQLite record`);
  }
}

function touchPrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
}
