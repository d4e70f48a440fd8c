import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type ServiceError, status } from '@grpc/grpc-js';
import { refusalOf, unary } from '@tokenmesh/interceptor';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasPostgres, startTestPostgres, type TestPostgres } from './record/test-postgres.ts';
import { type Connection, connect, startTestProcess, type TestProcess, writeTestConfig } from './test-process.ts';
import { authenticate, gateway, operator, temporaryDirectory } from './testing.ts';

const prlimit = process.env.TOKENMESH_PRLIMIT ?? '';

let directory: ReturnType<typeof temporaryDirectory>;
let tokenExchange: TestProcess;
let service: Connection;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  service.close();
  await tokenExchange.kill();
  directory.remove();
});

async function serve(store: object): Promise<void> {
  tokenExchange = await startTestProcess(writeTestConfig(directory.path, store));
  service = connect(tokenExchange);
}

const recordFile = () => join(directory.path, 'record.db');

/** From here on the operating system fails every write of the process beyond this many bytes of a file (EFBIG, as `ulimit -f` does). */
function limitFiles(bytes: number | 'unlimited'): void {
  execFileSync(prlimit, ['--pid', String(tokenExchange.pid), `--fsize=${bytes}:`]);
}

/** Empties the log that the next commit is written to, so that it begins at its first byte. */
function emptyWriteAheadLog(): void {
  const database = new DatabaseSync(recordFile());
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
}

/** A request that can be sent again as it is, the client's proof included. */
const refreshRequest = (refresh_token: string) => ({ ...authenticate(gateway, Date.now), grant_type: 'refresh_token', refresh_token });

/** Why something did not happen: the status of a failure that is no refusal. */
async function failureOf(call: Promise<unknown>): Promise<number | string | undefined> {
  return await call.then(
    () => 'accepted',
    (error: ServiceError) => refusalOf(error)?.reason ?? error.code,
  );
}

/** What the operator is told of the first calls that failed. */
async function loggedFailures(count: number): Promise<readonly unknown[]> {
  const lines = await tokenExchange.logged(({ event }) => event === 'call.failed', count);
  return lines.map(({ err }) => (err as { message?: unknown }).message); // true: pino's form of an error
}

describe.skipIf(!prlimit)('a process over SQLite whose disk fails', () => {
  beforeEach(() => serve({ sqlite: 'record.db' }));

  it('T-22 uses nothing up: the same request is answered when the disk is back, and once', async () => {
    const request = refreshRequest((await service.begin()).refresh_token);
    const refresh = () => unary(service.exchange, 'exchangeToken', request);
    limitFiles(0);
    for (let attempt = 0; attempt < 3; attempt++) expect(await failureOf(refresh())).toBe(status.INTERNAL);
    limitFiles('unlimited');
    const { refresh_token } = await refresh();
    expect(await failureOf(refresh())).toBe('CLIENT_AUTHENTICATION_FAILED');
    await service.refresh(refresh_token);
    expect(await loggedFailures(3)).toEqual(Array(3).fill('disk I/O error'));
  });

  it('T-22 uses nothing up wherever in the commit the disk ends', async () => {
    const request = refreshRequest((await service.begin()).refresh_token);
    const refresh = () => unary(service.exchange, 'exchangeToken', request);
    emptyWriteAheadLog();
    let outcome: Awaited<ReturnType<typeof failureOf>> = status.INTERNAL;
    let attempts = 0;
    for (; outcome === status.INTERNAL; attempts++) {
      limitFiles(attempts * 2048);
      outcome = await failureOf(refresh());
    }
    expect(outcome).toBe('accepted');
    expect(attempts).toBeGreaterThan(10); // of header, frames and commit frame, each at its beginning and in its middle
    limitFiles('unlimited');
    const database = new DatabaseSync(recordFile(), { readOnly: true });
    expect(database.prepare('SELECT count(*) AS used FROM refresh_tokens WHERE used_at > 0').get()).toMatchObject({ used: 1 });
    expect(database.prepare('PRAGMA integrity_check').get()).toMatchObject({ integrity_check: 'ok' });
    database.close();
  });

  it('acknowledges no revocation meanwhile, and takes it when the disk is back', async () => {
    const { access_token, refresh_token } = await service.begin();
    const second = await service.refresh(refresh_token);
    const options = await service.bearer();
    const revocation = { targets: [{ kind: 'subject', value: gateway }], request_id: 'r1' };
    const revoke = () => unary(service.admin, 'addRevocation', revocation, options);
    const list = async () => (await unary(service.admin, 'listRevocations', {}, options)).revocations;
    limitFiles(0);
    expect(await failureOf(revoke())).toBe(status.INTERNAL);
    expect(await failureOf(unary(service.exchange, 'revokeToken', { ...authenticate(gateway, Date.now), token: access_token }))).toBe(
      status.INTERNAL,
    );
    // nor does a replay end its session
    expect(await failureOf(service.refresh(refresh_token, 'orders.read'))).toBe(status.INTERNAL);
    expect(await list()).toEqual([]);
    limitFiles('unlimited');
    expect(await service.introspect(second.access_token)).toMatchObject({ active: true });
    expect(await failureOf(service.refresh(refresh_token, 'orders.read'))).toBe('GRANT_REUSED');
    expect((await revoke()).acknowledgement).toMatchObject({ n: 2 });
    expect((await list()).map(({ target }) => target?.kind)).toEqual(['subject', 'session']);
  });

  it('F7 issues nothing that it cannot audit, and whatever was issued is verified as before', async () => {
    const options = await service.bearer();
    limitFiles(0);
    expect(await failureOf(service.begin())).toBe(status.INTERNAL);
    expect(await failureOf(service.bearer())).toBe(status.INTERNAL);
    // a verifier needs keys and proof that it has missed no revocation; token-exchange verifies its own callers
    expect((await unary(service.exchange, 'getJwks', {})).keys).not.toEqual([]);
    expect((await unary(service.feed, 'checkpoint', { nonce: 'n' }, options)).checkpoint).not.toBe('');
    const { events } = await unary(service.admin, 'queryEvents', { kind: 'token.issued' }, options);
    expect(events.map(({ who }) => who)).toEqual([operator]);
    limitFiles('unlimited');
    await service.begin();
    const after = await unary(service.admin, 'queryEvents', { kind: 'token.issued' }, options);
    expect(after.events.map(({ who }) => who)).toEqual([gateway, operator]);
  });

  it('has in force what is on the disk, also when the fence beside it could not be noted', async () => {
    const options = await service.bearer();
    const revoke = (value: string) => unary(service.admin, 'addRevocation', { targets: [{ kind: 'subject', value }] }, options);
    for (let n = 0; n < 30; n++) await revoke(`spiffe://shop.test/s${n}`);
    emptyWriteAheadLog();
    const sizeOfFence = () => statSync(`${recordFile()}.lock-wal`).size;
    const bytes = sizeOfFence();
    limitFiles(bytes); // the record's log has room for one more, the fence's has not
    expect((await revoke(operator)).acknowledgement).toMatchObject({ n: 31 });
    expect(sizeOfFence()).toBe(bytes);
    expect(await failureOf(revoke(gateway))).toBe('TOKEN_REVOKED');
  });
});

describe.skipIf(!hasPostgres)('a process over PostgreSQL', () => {
  let database: TestPostgres;
  beforeAll(async () => {
    database = await startTestPostgres();
  });
  afterAll(() => database.remove());

  it('T-22 uses nothing up when its connection is lost in the middle of the commit', async () => {
    const url = await database.createDatabase();
    await serve({ postgres: { url } });
    const request = refreshRequest((await service.begin()).refresh_token);
    const refresh = () => unary(service.exchange, 'exchangeToken', request);
    // what is deferred runs as the first part of the commit: there it waits for a lock that the test holds
    await database.query(
      url,
      `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END';
       CREATE CONSTRAINT TRIGGER waits AFTER UPDATE ON refresh_tokens DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()`,
    );
    const holder = new pg.Client({ connectionString: url });
    await holder.connect();
    try {
      await holder.query('SELECT pg_advisory_lock(1)');
      const failed = failureOf(refresh());
      const committing = "SELECT pid, query FROM pg_stat_activity WHERE wait_event = 'advisory'";
      let [waiting] = await database.query(url, committing);
      while (!waiting) [waiting] = await database.query(url, committing);
      expect(waiting.query).toBe('commit');
      await database.query(url, `SELECT pg_terminate_backend(${waiting.pid})`);
      expect(await failed).toBe(status.INTERNAL);
    } finally {
      await holder.end();
    }
    expect(await loggedFailures(1)).toEqual(['terminating connection due to administrator command']);
    const { refresh_token } = await refresh();
    expect(await failureOf(refresh())).toBe('CLIENT_AUTHENTICATION_FAILED');
    await service.refresh(refresh_token);
  });
});
