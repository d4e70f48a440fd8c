import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId, temporaryDirectory } from '../testing.ts';
import type { AuditEntry } from './audit-records.ts';
import { openPostgresStore } from './postgres.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';
import { hasPostgres, startTestPostgres, type TestPostgres } from './test-postgres.ts';

/** One record: opened as the service does, and changed behind its back. */
interface Tampered {
  open(): Promise<Store>;
  execute(statement: string): Promise<unknown>;
  remove(): Promise<void> | void;
}

const entry = (overrides: Partial<AuditEntry> = {}): AuditEntry => ({
  ...{ t: 1000, kind: 'token.issued', who: 'spiffe://shop.test/a', what: { aud: 'b' }, decision: 'allowed', reason: 'the grant' },
  ...{ jti: 'j1', txn: 't1', traceId: 'f'.repeat(32), count: 1 },
  ...overrides,
});

function testAudit(name: string, create: () => Promise<Tampered>): void {
  describe(`the audit in ${name}`, () => {
    let record: Tampered;
    let store: Store;
    beforeEach(async () => {
      record = await create();
      store = await record.open();
    });
    afterEach(async () => {
      await store.close();
      await record.remove();
    });

    const write = (...entries: AuditEntry[]) =>
      store.transaction(async (transaction) => {
        for (const one of entries) transaction.audit(one);
      });
    const writeFive = () => write(...[1, 2, 3, 4, 5].map((n) => entry({ t: n * 1000, jti: `j${n}` })));
    const breaks = async () => (await store.verifyAudit()).breaks.map(({ chain, seq }) => [chain, seq]);
    const reopen = async () => {
      await store.close();
      store = await record.open();
    };

    it('keeps what a transaction did, in order, and gives it back as it was', async () => {
      const second = entry({ t: 2000, kind: 'key.active', what: { kid: 'k', purpose: 'token' }, jti: '', txn: '', count: 3 });
      await write(entry(), second);
      expect(await store.queryAudit({}, 10)).toEqual([
        { chain: 1, seq: 2, ...second },
        { chain: 1, seq: 1, ...entry() },
      ]);
      expect(await store.verifyAudit()).toMatchObject({ breaks: [], events: 2, heads: [{ chain: 1, seq: 2 }] });
    });

    it('finds events by time, kind, client, jti and txn, and page by page', async () => {
      await writeFive();
      await write(entry({ t: 6000, kind: 'token.refused', who: 'c', jti: '', txn: 't2' }));
      const seqs = async (...query: Parameters<Store['queryAudit']>) => (await store.queryAudit(...query)).map(({ seq }) => seq);
      expect(await seqs({ sinceMs: 2000, untilMs: 4000 }, 10)).toEqual([3, 2]);
      expect(await seqs({ kind: 'token.refused' }, 10)).toEqual([6]);
      expect(await seqs({ who: 'c' }, 10)).toEqual([6]);
      expect(await seqs({ jti: 'j4' }, 10)).toEqual([4]);
      expect(await seqs({ txn: 't2' }, 10)).toEqual([6]);
      expect(await seqs({ txn: 't1' }, 2)).toEqual([5, 4]);
      expect(await seqs({ txn: 't1' }, 10, { t: 4000, chain: 1, seq: 4 })).toEqual([3, 2, 1]);
    });

    it('writes nothing for a transaction that fails, and undoes a transaction whose audit cannot be written', async () => {
      const use = () =>
        store.transaction(async (transaction) => {
          transaction.audit(entry());
          return await transaction.useAssertionId('a', 'j', 100);
        });
      const failing = store.transaction(async (transaction) => {
        transaction.audit(entry());
        throw new Error('the work failed');
      });
      await expect(failing).rejects.toThrow('the work failed');
      await write(entry());
      await record.execute('ALTER TABLE audit_events RENAME TO away');
      await expect(use()).rejects.toThrow();
      await record.execute('ALTER TABLE away RENAME TO audit_events');
      expect(await use()).toBe(true);
      expect(await store.verifyAudit()).toMatchObject({ breaks: [], events: 2 });
    });

    it('holds over a restart, and while several write at the same instant', async () => {
      await writeFive();
      await reopen();
      await Promise.all(Array.from({ length: 40 }, (_, n) => write(entry({ jti: `p${n}` }))));
      expect(await store.verifyAudit()).toMatchObject({ breaks: [], events: 45 });
    });

    const columns: readonly [string, string][] = [
      ['chain', '7'],
      ['seq', '9'],
      ['t', '1'],
      ['kind', "'token.refused'"],
      ['who', "'spiffe://shop.test/z'"],
      ['what', `'{"aud":"c"}'`],
      ['decision', "'refused'"],
      ['reason', "'another'"],
      ['jti', "'j9'"],
      ['txn', "'t9'"],
      ['trace_id', "''"],
      ['count', '2'],
      ['hash', "'AAAA'"],
    ];
    it.each(columns)('T-27 shows that somebody changed %s of an event', async (column, value) => {
      await writeFive();
      expect(await breaks()).toEqual([]);
      await record.execute(`UPDATE audit_events SET ${column} = ${value} WHERE seq = 3`);
      expect((await breaks())[0]).toEqual([1, 3]);
    });

    it.each([
      ['removed the first event', 'DELETE FROM audit_events WHERE seq = 1', [1, 1]],
      ['removed an event', 'DELETE FROM audit_events WHERE seq = 3', [1, 3]],
      ['removed the last event', 'DELETE FROM audit_events WHERE seq = 5', [1, 5]],
      ['removed them all', 'DELETE FROM audit_events', [1, 1]],
      ['moved the head of a chain back', 'UPDATE audit_chains SET seq = 4', [1, 5]],
      ['changed the hash of the head', "UPDATE audit_chains SET hash = 'AAAA'", [1, 5]],
      ['moved the anchor', 'UPDATE audit_chains SET anchor_seq = 2', [1, 1]],
      ['changed the anchor', "UPDATE audit_chains SET anchor_hash = 'AAAA'", [1, 1]],
      ['removed a chain', 'DELETE FROM audit_chains', [1, 0]],
    ])('shows that somebody %s', async (_, statement, found) => {
      await writeFive();
      await record.execute(statement);
      expect(await breaks()).toEqual([found]);
    });

    it('shows that two events changed places', async () => {
      await writeFive();
      await record.execute('UPDATE audit_events SET seq = 100 WHERE seq = 2');
      await record.execute('UPDATE audit_events SET seq = 2 WHERE seq = 3');
      await record.execute('UPDATE audit_events SET seq = 3 WHERE seq = 100');
      expect(await breaks()).toEqual([[1, 2]]);
    });

    it('shows that a whole chain was removed, and its events with it', async () => {
      await writeFive();
      await reopen();
      await writeFive();
      await record.execute('DELETE FROM audit_chains WHERE chain = 1');
      await record.execute('DELETE FROM audit_events WHERE chain = 1');
      expect(await breaks()).toEqual([[1, 0]]);
    });

    it('forgets what is older than a time, nothing of that time, and the rest still verifies', async () => {
      await writeFive();
      await store.trimAudit(3000);
      expect((await store.queryAudit({}, 10)).map(({ seq }) => seq)).toEqual([5, 4, 3]);
      expect(await store.verifyAudit()).toMatchObject({ breaks: [], events: 3 });
      await record.execute('DELETE FROM audit_events WHERE seq = 3');
      expect(await breaks()).toEqual([[1, 3]]);
    });

    it('goes on with a chain of which everything was forgotten', async () => {
      await writeFive();
      await store.trimAudit(9000);
      expect(await store.verifyAudit()).toMatchObject({ breaks: [], events: 0 });
      await write(entry({ t: 9000 }));
      expect(await store.verifyAudit()).toMatchObject({ breaks: [], events: 1, heads: [{ chain: 1, seq: 6 }] });
    });

    it('forgets more than it does in one transaction', async () => {
      await write(...Array.from({ length: 5001 }, (_, n) => entry({ t: n })), entry({ t: 9000 }));
      await store.trimAudit(9000);
      expect(await store.verifyAudit()).toMatchObject({ breaks: [], events: 1, heads: [{ seq: 5002 }] });
    });

    it('keeps an older event behind one that is kept: a chain has no holes', async () => {
      await write(entry({ t: 5000 }), entry({ t: 1000 }));
      await store.trimAudit(3000);
      expect(await store.queryAudit({}, 10)).toHaveLength(2);
    });

    it('verifies while others write and forget', async () => {
      await writeFive();
      const writing = Array.from({ length: 60 }, (_, n) => write(entry({ t: n })));
      const verified = await Promise.all([1, 2, 3].map(() => store.verifyAudit()));
      await store.trimAudit(30);
      await Promise.all(writing);
      expect(verified.flatMap(({ breaks: found }) => found)).toEqual([]);
      expect(await breaks()).toEqual([]);
    });
  });
}

testAudit('SQLite', async () => {
  const directory = temporaryDirectory();
  const file = join(directory.path, 'record.db');
  return {
    open: () => openSqliteStore(file, { newId }),
    async execute(statement) {
      const database = new DatabaseSync(file);
      database.exec(statement);
      database.close();
    },
    remove: directory.remove,
  };
});

describe.skipIf(!hasPostgres)('with a PostgreSQL', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startTestPostgres();
  });
  afterAll(() => server.remove());

  testAudit('PostgreSQL', async () => {
    const url = await server.createDatabase();
    return { open: () => openPostgresStore(url, { newId }), execute: (statement) => server.query(url, statement), remove: () => {} };
  });

  it('gives each replica chains of its own, and any of them verifies all', async () => {
    const url = await server.createDatabase();
    const replicas = await Promise.all([1, 2, 3].map(() => openPostgresStore(url, { newId })));
    const write = (store: Store | undefined) => store?.transaction(async (transaction) => transaction.audit(entry()));
    await Promise.all(Array.from({ length: 90 }, (_, n) => write(replicas[n % 3])));
    const verified = await replicas[0]?.verifyAudit();
    expect(verified).toMatchObject({ breaks: [], events: 90 });
    expect(verified?.heads.length).toBeGreaterThanOrEqual(3);
    for (const store of replicas) await store.close();
  });
});
