import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import {
  type CompiledQuery,
  type DatabaseConnection,
  Kysely,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type SqliteStatement,
  type Transaction,
} from 'kysely';
import type { RunStatement, Value } from './fixed-statements.ts';
import type { Savepoint } from './group-commit.ts';
import { migrateToLatest, type Tables } from './migrations.ts';
import { beginLog } from './revocation-records.ts';
import { acquireFence, type SeenRecord, type SqliteFence } from './sqlite-fence.ts';
import { createStore, type Store } from './store.ts';
import { createWalCopier } from './wal-copier.ts';

/** The record is older than what was seen of it here, or another process took it over: what it lacks must not be handed out again. */
export class StoreRestoredError extends Error {
  override readonly name = 'StoreRestoredError';
}

export interface SqliteStoreOptions {
  /** Names the epoch of an empty record. */
  readonly newId: () => string;
  /** Opens a record that was restored from a backup all the same: to begin a new epoch in it, nothing else. Default false. */
  readonly acceptRestored?: boolean;
}

/**
 * Opens the record in one SQLite file, created with mode 0600 when it is not there.
 *
 * Every commit is on the disk before it is acknowledged (WAL, `synchronous=FULL`). One process at a time: `<file>.lock` is held for as
 * long as the store is open, and the operating system lets go of it when the process dies, however it dies. Where locks do not work (some
 * network file systems, copied containers), each opening counts the record's generation up, and a store whose generation is no longer the
 * record's takes no transaction and tells no position, so that nothing is signed. The lock file remembers generation and position, so that an older record in the same place is noticed; one
 * that was restored without its lock file cannot be.
 *
 * @throws {StoreInUseError} When another store has the file open, in this process or another.
 * @throws {StoreRestoredError} When the record was restored from a backup.
 */
export async function openSqliteStore(file: string, options: SqliteStoreOptions): Promise<Store> {
  touchPrivate(`${file}.lock`);
  const fence = acquireFence(`${file}.lock`);
  try {
    touchPrivate(file);
    const database = new DatabaseSync(file);
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = ${checkpointPages}; PRAGMA cache_size = -${cacheKib}`);
    const prepared = prepareOnce(database);
    const db = createKysely(database, prepared);
    await migrateToLatest(db);
    await beginLog(db, options.newId());
    const { assertOurs, onAppended, noteAppended } = takeOver(database, fence, file, options.acceptRestored ?? false);
    const copier = createWalCopier(file);
    const store = createStore(db, {
      local: { run: runOver(prepared), savepoint: savepointOf(database), onBegin: assertOurs, onCommitted: copier.committed, onAppended },
      onClose() {
        noteAppended();
        fence.release();
      },
    });
    return {
      ...store,
      async head() {
        assertOurs(); // or its checkpoints would call fresh what another process may have moved on
        return await store.head();
      },
      async close() {
        await copier.close();
        await store.close();
      },
    };
  } catch (error) {
    fence.release();
    throw error;
  }
}

/** Makes the record this process's own, unless it is older than what was seen of it. */
function takeOver(database: DatabaseSync, fence: SqliteFence, file: string, acceptRestored: boolean) {
  const readGeneration = database.prepare("SELECT value FROM meta WHERE key = 'generation'");
  const generationNow = () => Number(readGeneration.get()?.value ?? 0);
  const head = database.prepare('SELECT epoch, n FROM revocation_head').get();
  const [epoch, n] = [String(head?.epoch), Number(head?.n)];
  const found = generationNow();
  const { seen } = fence;
  const isOlder = seen && (found < seen.generation || (epoch === seen.epoch && n < seen.n));
  if (isOlder && !acceptRestored) {
    database.close();
    throw new StoreRestoredError(
      `${file} is older than what was seen of it before (opened ${found} times, its revocation log at ${n}; seen ${seen.generation} times, at ${seen.n}): it was restored from a backup, and revocations since then are not in it; \`token-exchange begin-epoch\` revokes everything that was ever issued and begins anew`,
    );
  }
  const generation = Math.max(found, seen?.generation ?? 0) + 1;
  database.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('generation', ?)").run(String(generation));
  fence.note({ epoch, generation, n });
  let appended: number | undefined;
  const noteAppended = () => {
    if (appended !== undefined) noteIfPossible(fence, { epoch, generation, n: appended });
    appended = undefined;
  };
  return {
    assertOurs() {
      if (generationNow() !== generation) throw new StoreRestoredError(`${file} was taken over by another process, or replaced`);
    },
    /** A tick later: the event is on its way then, which is not to wait for a note, and no revocation was acknowledged yet. */
    onAppended(last: number) {
      if (appended === undefined) process.nextTick(noteAppended);
      appended = last;
    },
    noteAppended,
  };
}

/** What was committed stays committed, and has to be told so. */
function noteIfPossible(fence: SqliteFence, seen: SeenRecord): void {
  try {
    fence.note(seen);
  } catch {
    // the fence is lower than it could be, as after a power cut; the next note makes up for it
  }
}

/** Kysely over an open database; `destroy()` closes it. */
export function createKysely(database: DatabaseSync, prepared = prepareOnce(database)): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createDriver: () => new TellingSqliteDriver(database, prepared),
      createQueryCompiler: () => new SqliteQueryCompiler(),
      createAdapter: () => new TransactionalSqliteAdapter(),
      createIntrospector: (db) => new SqliteIntrospector(db),
    },
  });
}

/** When the disk fails, SQLite undoes the transaction itself: what is to be told then is why, not that there was nothing left to undo. */
class TellingSqliteDriver extends SqliteDriver {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync, prepared: PreparedStatements) {
    super({ database: { prepare: prepared, close: () => database.close() } });
    this.#database = database;
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.isTransaction) await super.rollbackTransaction(connection);
  }
}

/** SQLite does undo schema changes with a transaction; Kysely's default plays safe for foreign keys, which this schema has none of. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * Pages in the write-ahead log (64 MB) at which a commit copies them into the database itself, and waits for that, because the copier does not keep up.
 * Then few are left to be copied, and the log begins anew, which it does not while one commit follows the other.
 */
const checkpointPages = 16_000;
/** Memory for pages in KiB. */
const cacheKib = 32 * 1024;

/** Statements kept prepared; the repository has some sixty, and those of a batch have a variant for each of its sizes. */
const maxStatements = 400;

/** Gives the statement of a text, in the shape of better-sqlite3 that Kysely speaks. */
type PreparedStatements = (sql: string) => SqliteStatement;

function prepareOnce(database: DatabaseSync): PreparedStatements {
  const statements = new Map<string, SqliteStatement>();
  return (sql) => {
    const statement = statements.get(sql) ?? adaptStatement(database.prepare(sql));
    statements.delete(sql); // so that the map's order is the order of use
    statements.set(sql, statement);
    const [leastRecent] = statements.keys();
    if (statements.size > maxStatements && leastRecent !== undefined) statements.delete(leastRecent);
    return statement;
  };
}

/** The connection is the one that has the transaction open, for there is no other. */
function runOver(prepared: PreparedStatements): RunStatement {
  return async <Row>(_transaction: Transaction<Tables>, { sql }: CompiledQuery<Row>, values: readonly Value[]) => {
    const statement = prepared(sql);
    if (statement.reader) return { rows: statement.all(values) as Row[], changes: 0 }; // true: of the type that Kysely gave to its text
    return { rows: [], changes: Number(statement.run(values).changes) };
  };
}

function savepointOf(database: DatabaseSync): Savepoint {
  const set = database.prepare('savepoint member');
  const undo = database.prepare('rollback to member');
  const release = database.prepare('release member');
  return { set: () => void set.run(), undo: () => void undo.run(), release: () => void release.run() };
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

function touchPrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
}
