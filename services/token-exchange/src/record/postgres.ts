import { setTimeout as delay } from 'node:timers/promises';
import { Kysely, PostgresDialect, type PostgresDialectConfig, PostgresDriver, type PostgresPool } from 'kysely';
import pg from 'pg';
import { migrateToLatest, type Tables } from './migrations.ts';
import { PostgresError } from './postgres-error.ts';
import { beginLog } from './revocation-records.ts';
import { createStore, type Store } from './store.ts';

export interface PostgresStoreOptions {
  /** Names the epoch of an empty record. */
  readonly newId: () => string;
  /** Connections at most; default 16. A request holds one for the few statements of its transaction. */
  readonly maxConnections?: number;
  /** How long a request waits for a server that restarts or fails over, in milliseconds; default 2000. */
  readonly patienceMs?: number;
}

/** A statement that waits longer, for a lock or a standby, fails: whoever asked is told, and may ask again. */
const statementTimeoutMs = 10_000;
/** A replica that stops within a transaction (paused, cut off) loses it after this long: it must not hold up the others. */
const idleInTransactionTimeoutMs = 5000;
const connectTimeoutMs = 5000;
const retryMs = 100;
/** A connection whose other end vanished without a word is given up at the latest after this long. */
const maxLifetimeSeconds = 300;

/** Under any other setting a commit is acknowledged that a crash, or a failover to a synchronous standby, takes back. */
const durableCommits: ReadonlySet<string> = new Set(['on', 'remote_apply']);

/**
 * Opens the record in PostgreSQL, which any number of replicas may share at the same time; they migrate it one after the other.
 *
 * Each connection is checked when it is made: it must lead to the primary, with `synchronous_commit` `on` or `remote_apply` and `fsync` on.
 * Transactions are READ COMMITTED whatever the server's default is. Connections that were lost are made anew; while there is no server,
 * a request waits for one, and fails when its patience ends.
 *
 * @param url `postgres://user:password@host:port/database`; `sslmode` and `sslrootcert` among its parameters for TLS. A pooler in between has to
 *   pool sessions, not transactions.
 * @throws {PostgresError} When the server cannot be reached, refuses, or would not keep what it acknowledges.
 */
export async function openPostgresStore(url: string, options: PostgresStoreOptions): Promise<Store> {
  const { newId, maxConnections = 16, patienceMs = 2000 } = options;
  const db = createKysely(createPool(url, maxConnections, statementTimeoutMs), patienceMs);
  try {
    await migrateAlone(url, patienceMs);
    await beginLog(db, newId());
    return createStore(db, {});
  } catch (error) {
    await db.destroy();
    throw toOperatorError(url, error);
  }
}

function createKysely(pool: pg.Pool, patienceMs: number): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: new TellingPostgresDialect({ pool: patient(pool, patienceMs) }) });
}

class TellingPostgresDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig;

  constructor(config: PostgresDialectConfig) {
    super(config);
    this.#config = config;
  }

  override createDriver(): PostgresDriver {
    return new TellingPostgresDriver(this.#config);
  }
}

/** On a lost connection nothing can be undone, and need not be: the server has done so. What is to be told then is how it was lost. */
class TellingPostgresDriver extends PostgresDriver {
  override async rollbackTransaction(connection: Parameters<PostgresDriver['rollbackTransaction']>[0]): Promise<void> {
    await super.rollbackTransaction(connection).catch(() => undefined); // Kysely closes a connection on which this failed
  }
}

// replicas wait for one another here, and a migration may run long: without the time limit of requests
async function migrateAlone(url: string, patienceMs: number): Promise<void> {
  const db = createKysely(createPool(url, 2, 0), patienceMs);
  await migrateToLatest(db).finally(() => db.destroy());
}

function createPool(url: string, max: number, limitMs: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'token-exchange',
    max,
    connectionTimeoutMillis: connectTimeoutMs,
    maxLifetimeSeconds,
    keepAlive: true,
    types: { getTypeParser },
    // the server's own limit answers first; this one is for a server that does not answer at all
    ...(limitMs > 0 && { query_timeout: limitMs + 2000 }),
    onConnect: (client) => prepare(client, limitMs),
  });
  // without listeners a server that goes away would end the process; whoever uses the connection is told by its query
  pool.on('error', () => {});
  pool.on('connect', (client) => void client.on('error', () => {}));
  return pool;
}

/** Sets up a new session and refuses a server on which nothing could be relied. */
async function prepare(client: pg.ClientBase, limitMs: number): Promise<void> {
  const { rows } = await client.query<{ synchronous_commit: string; fsync: string; standby: boolean }>(
    `select set_config('default_transaction_isolation', 'read committed', false),
            set_config('statement_timeout', $1, false),
            set_config('idle_in_transaction_session_timeout', $2, false),
            current_setting('synchronous_commit') as synchronous_commit, current_setting('fsync') as fsync, pg_is_in_recovery() as standby`,
    [String(limitMs), String(idleInTransactionTimeoutMs)],
  );
  const [settings] = rows;
  if (!settings) throw new PostgresError('the server does not tell its settings');
  if (settings.standby) throw new PostgresError('the server is a standby, and the record is read and written at the primary alone');
  if (settings.fsync !== 'on') throw new PostgresError('fsync is off: a crash would take back what was acknowledged; set it to on');
  if (!durableCommits.has(settings.synchronous_commit)) {
    throw new PostgresError(
      `synchronous_commit is ${settings.synchronous_commit}: a crash would take back what was acknowledged; set it to on or remote_apply`,
    );
  }
}

const int8 = pg.types.builtins.INT8;
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === int8 ? parseBigint : pg.types.getTypeParser(oid, format as 'text'); // pg's overloads name one format each; it is passed through

// positions and milliseconds: exact as numbers for the next 285 000 years, and an error beyond that rather than a wrong one
function parseBigint(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError('the record holds a number beyond 2^53');
  return value;
}

/** A pool whose `connect` waits for a server that is not there for a moment. */
function patient(pool: pg.Pool, patienceMs: number): PostgresPool {
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const giveUpAt = performance.now() + patienceMs;
      for (;;) {
        try {
          return await pool.connect();
        } catch (error) {
          if (!isPassing(error) || performance.now() >= giveUpAt) throw error;
        }
        await delay(retryMs);
      }
    },
  };
}

/** Refused and reset connections, a socket that is not there yet; 57P0x: the server stops or starts; 53300: all its connections are taken. */
const passingCodes: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', '57P01', '57P02', '57P03', '53300']);

function isPassing(error: unknown): boolean {
  return passingCodes.has(codeOf(error));
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return code;
  // several addresses of one name: each has an error of its own
  return error instanceof AggregateError ? codeOf(error.errors[0]) : '';
}

function toOperatorError(url: string, error: unknown): Error {
  const { host, pathname } = new URL(url); // without user and password
  const text = error instanceof Error && error.message ? error.message : codeOf(error);
  return new PostgresError(`the record in PostgreSQL at ${host}${pathname} cannot be opened: ${text}`);
}
