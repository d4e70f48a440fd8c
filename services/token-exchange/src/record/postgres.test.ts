import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../testing.ts';
import { openPostgresStore } from './postgres.ts';
import type { Store } from './store.ts';
import { testStore } from './store-contract.ts';
import { hasPostgres, startTestPostgres, type TestPostgres } from './test-postgres.ts';

describe.skipIf(!hasPostgres)('with a PostgreSQL', () => {
  let server: TestPostgres;
  let url: string;
  beforeAll(async () => {
    server = await startTestPostgres();
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    url = await server.createDatabase();
  });
  const open = () => openPostgresStore(url, { newId });

  testStore('PostgreSQL', open);

  describe('a PostgreSQL record', () => {
    const stores: Store[] = [];
    const openMore = async (count = 1) => {
      const opened = await Promise.all(Array.from({ length: count }, open));
      stores.push(...opened);
      return opened as [Store, ...Store[]]; // at least one was asked for
    };
    afterEach(async () => {
      for (const store of stores.splice(0)) await store.close();
    });

    it('is migrated by one of several replicas that start at the same instant, and has one epoch', async () => {
      const heads = await Promise.all((await openMore(5)).map((store) => store.head()));
      expect(new Set(heads.map(({ epoch }) => epoch)).size).toBe(1);
    });

    it('T-17 gives an assertion id to exactly one of many transactions on three replicas', async () => {
      const replicas = await openMore(3);
      for (let round = 0; round < 100; round++) {
        const use = (store: Store) => store.transaction((transaction) => transaction.useAssertionId('a', `j${round}`, 100));
        const answers = await Promise.all([...replicas, ...replicas].map(use));
        expect(answers.filter((taken) => taken)).toHaveLength(1);
      }
    });

    it('gives an id back when the transaction that held it fails while another waits for it', async () => {
      const [first, second] = await openMore(2);
      const { promise: held, resolve: hold } = Promise.withResolvers<void>();
      const { promise: failing, resolve: fail } = Promise.withResolvers<void>();
      const failed = first.transaction(async (transaction) => {
        await transaction.useAssertionId('a', 'j', 100);
        hold();
        await failing;
        throw new Error('the work failed');
      });
      await held;
      const waiting = second?.transaction((transaction) => transaction.useAssertionId('a', 'j', 100));
      fail();
      await expect(failed).rejects.toThrow('the work failed');
      expect(await waiting).toBe(true);
    });

    it('lets one transaction at a time hold the head, and the next one sees what it appended', async () => {
      const replicas = await openMore(3);
      const appended = Array.from({ length: 30 }, (_, index) =>
        replicas[index % 3]?.transaction(async (transaction) => {
          const n = (await transaction.holdHead()).n + 1;
          await transaction.appendEvent({ n, compact: `c${n}`, hash: `h${n}`, t: n, sent: true }, [
            { kind: 'subject', value: 's', exp: 100, n, t: n, revokedBy: 'o', note: '' },
          ]);
          return n;
        }),
      );
      const positions = (await Promise.all(appended)).map(Number).sort((a, b) => a - b);
      expect(positions).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    });

    it('never stamps an rn that hides a revocation which was not looked up', async () => {
      const [issuing, revoking] = await openMore(2);
      let n = 0;
      for (let round = 0; round < 50; round++) {
        const issued = issuing.transaction(async (transaction) => {
          const { n: rn } = await transaction.head();
          const watermarks = [{ kind: 'subject', value: `s${round}` }] as const;
          return { rn, revoked: await transaction.isRevoked({ jti: 'j', kid: 'k', watermarks, rn: 0 }) };
        });
        const revoked = revoking?.transaction(async (transaction) => {
          n = (await transaction.holdHead()).n + 1;
          await transaction.appendEvent({ n, compact: 'c', hash: 'h', t: 1, sent: true }, [
            { kind: 'subject', value: `s${round}`, exp: 100, n, t: 1, revokedBy: 'o', note: '' },
          ]);
        });
        const [token] = await Promise.all([issued, revoked]);
        expect(token.revoked || token.rn < n).toBe(true);
      }
    });

    it('does not lose a longer life to a replica that says a shorter one at the same instant', async () => {
      const replicas = await openMore(3);
      await Promise.all(
        [300, 3600, 900].map((life, index) => replicas[index]?.transaction((transaction) => transaction.longestLife(life))),
      );
      expect(await replicas[0].transaction((transaction) => transaction.longestLife(1))).toBe(3600);
    });

    it('survives a crash of the server: what was acknowledged is there, and the connections come back by themselves', async () => {
      const impatient = await openPostgresStore(url, { newId, patienceMs: 0 });
      const patient = await openPostgresStore(url, { newId, patienceMs: 60_000 });
      stores.push(impatient, patient);
      const use = (store: Store, jti: string) => store.transaction((transaction) => transaction.useAssertionId('a', jti, 100));
      expect([await use(impatient, 'j1'), await use(patient, 'j2')]).toEqual([true, true]);
      await server.crash();
      await expect(use(impatient, 'j3')).rejects.toThrow();
      const late = use(patient, 'j4'); // asked while there is no server, answered when there is one again
      await server.start();
      expect(await late).toBe(true);
      expect([await use(patient, 'j1'), await use(patient, 'j2'), await use(patient, 'j3')]).toEqual([false, false, true]);
    }, 90_000);

    it('refuses numbers that JavaScript cannot hold', async () => {
      const [store] = await openMore();
      await server.query(url, `UPDATE revocation_head SET n = ${2 ** 53 - 1}`);
      expect((await store.head()).n).toBe(Number.MAX_SAFE_INTEGER);
      await server.query(url, 'UPDATE revocation_head SET n = 9007199254740992');
      await expect(store.head()).rejects.toThrow('beyond 2^53');
    });

    it('takes the transaction from a replica that stops in the middle of one', async () => {
      const [stopped, other] = await openMore(2);
      const { promise: held, resolve: hold } = Promise.withResolvers<void>();
      const { promise: never, resolve: goOn } = Promise.withResolvers<void>();
      const lost = stopped
        .transaction(async (transaction) => {
          await transaction.holdHead();
          hold();
          await never;
          await transaction.head();
        })
        .catch((error: Error) => error);
      await held;
      expect((await other?.transaction((transaction) => transaction.holdHead()))?.n).toBe(0);
      goOn();
      expect(await lost).toBeInstanceOf(Error);
    });
  });

  describe('is refused with a text for the operator', () => {
    const refusal = (address: string) =>
      openPostgresStore(address, { newId }).then(
        () => 'opened',
        (error: Error) => `${error.name}: ${error.message} ${error.stack}`,
      );

    it('when there is no server', async () => {
      const text = await refusal('postgres://tokens:the-password@127.0.0.1:1/record');
      expect(text).toMatch(/^PostgresError: the record in PostgreSQL at 127\.0\.0\.1:1\/record cannot be opened: .*ECONNREFUSED/);
      expect(text).not.toContain('the-password');
    });

    it('when the password is wrong, without saying either', async () => {
      const right = new URL(url).password;
      const text = await refusal(url.replace(right, 'the-wrong-one'));
      expect(text).toContain('password authentication failed');
      expect(text).not.toContain('the-wrong-one');
      expect(text).not.toContain(right);
    });

    it.each([
      ['off', false],
      ['local', false],
      ['remote_write', false],
      ['on', true],
      ['remote_apply', true],
    ])('when synchronous_commit is %s: %s', async (setting, isFine) => {
      const { pathname } = new URL(url);
      await server.query(url, `ALTER DATABASE ${pathname.slice(1)} SET synchronous_commit = ${setting}`);
      if (isFine) await (await open()).close();
      else expect(await refusal(url)).toContain(`synchronous_commit is ${setting}`);
    });
  });

  it('is refused when the server does not wait for the disk', async () => {
    const careless = await startTestPostgres(['fsync=off']);
    try {
      await expect(openPostgresStore(await careless.createDatabase(), { newId })).rejects.toThrow('fsync is off');
    } finally {
      await careless.remove();
    }
  });

  it('is refused when the server is a standby, whose head lags behind what was acknowledged', async () => {
    const former = await startTestPostgres();
    try {
      const address = await former.createDatabase();
      await (await openPostgresStore(address, { newId })).close();
      await former.demote();
      await expect(openPostgresStore(address, { newId })).rejects.toThrow('the server is a standby');
    } finally {
      await former.remove();
    }
  });
});
