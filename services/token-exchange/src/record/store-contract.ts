import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testKeyRecords } from './key-records-contract.ts';
import type { StoredEvent, StoredTarget } from './revocation-records.ts';
import type { Store } from './store.ts';

/**
 * What every adapter of the record must hold.
 *
 * @param open Opens the same record each time within one test, and an empty one in the next.
 */
export function testStore(name: string, open: () => Promise<Store>): void {
  describe(`${name} as the record`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    const reopen = async () => {
      await store.close();
      store = await open();
    };
    const use = (jti: string, clientId = 'a', exp = 100) =>
      store.transaction((transaction) => transaction.useAssertionId(clientId, jti, exp));
    const event = (n: number): StoredEvent => ({ n, compact: `event-${n}`, hash: `hash-${n}`, t: n * 1000 });
    const target = (n: number, overrides: Partial<StoredTarget> = {}): StoredTarget => ({
      kind: 'token',
      value: `jti-${n}`,
      exp: 1000,
      n,
      t: n * 1000,
      revokedBy: 'operator',
      note: '',
      ...overrides,
    });
    const append = (n: number, { sent = true, ...overrides }: Partial<StoredTarget> & { sent?: boolean } = {}) =>
      store.transaction((transaction) => transaction.appendEvent({ ...event(n), sent }, [target(n, overrides)]));
    const revoked = (handles: Partial<Parameters<Parameters<Parameters<Store['transaction']>[0]>[0]['isRevoked']>[0]>) =>
      store.transaction((transaction) => transaction.isRevoked({ jti: 'j', kid: 'k', watermarks: [], rn: 0, ...handles }));

    it('takes an assertion id once, per client, and remembers it over a restart', async () => {
      expect(await use('j1')).toBe(true);
      expect(await use('j1')).toBe(false);
      expect(await use('j1', 'b')).toBe(true);
      await reopen();
      expect(await use('j1')).toBe(false);
    });

    it('gives an assertion id to exactly one of many that ask at the same instant', async () => {
      const answers = await Promise.all(Array.from({ length: 50 }, () => use('j1')));
      expect(answers.filter((taken) => taken)).toHaveLength(1);
    });

    it('undoes everything when the work of a transaction fails', async () => {
      const failing = store.transaction(async (transaction) => {
        await transaction.useAssertionId('a', 'j1', 100);
        await transaction.appendEvent({ ...event(1), sent: true }, [target(1)]);
        await transaction.suspend({ clientId: 'a', suspendedBy: 'o', suspendedAtMs: 1, note: '' });
        throw new Error('the work failed');
      });
      await expect(failing).rejects.toThrow('the work failed');
      expect(await use('j1')).toBe(true);
      expect((await store.head()).n).toBe(0);
      expect(await store.suspensions()).toEqual([]);
    });

    it('keeps its epoch over a restart', async () => {
      const { epoch, h } = await store.head();
      await reopen();
      expect(await store.head()).toEqual({ epoch, n: 0, h });
    });

    it('appends events one position after the other and moves the head', async () => {
      await append(1);
      await append(2);
      expect(await store.head()).toMatchObject({ n: 2, h: 'hash-2' });
      expect(await store.events(1, 10)).toEqual([event(1), event(2)]);
      expect(await store.events(2, 10)).toEqual([event(2)]);
      expect(await store.events(1, 1)).toEqual([event(1)]);
    });

    it('tells what events target, position by position, until it is forgotten', async () => {
      await append(1, { exp: 500 });
      await append(2);
      await append(3);
      const between = async (from: number, to: number) => (await store.targetsBetween(from, to)).map(({ n }) => n);
      expect(await store.targetsBetween(2, 2)).toEqual([target(2)]);
      expect([await between(1, 3), await between(2, 9), await between(4, 9)]).toEqual([[1, 2, 3], [2, 3], []]);
      await store.deleteExpired(500);
      expect(await between(1, 3)).toEqual([2, 3]);
    });

    it('tells what all events up to a position target, page by page, each once', async () => {
      const named = (n: number, index: number) => ({ kind: index % 2 === 0 ? 'token' : 'subject', value: `v-${index}-${n % 2}` }) as const;
      for (let n = 1; n <= 6; n++) {
        const targets = Array.from({ length: 500 }, (_, index) => target(n, named(n, index)));
        await store.transaction((transaction) => transaction.appendEvent({ ...event(n), sent: true }, targets));
      }
      const first = await store.targetsUpTo(5);
      const second = await store.targetsUpTo(5, first.at(-1));
      expect([first.length, second.length, (await store.targetsUpTo(5, second.at(-1))).length]).toEqual([2_000, 500, 0]);
      const all = [...first, ...second].map(({ kind, value, n }) => `${kind} ${value} ${n}`);
      expect(new Set(all).size).toBe(5 * 500);
      expect(Math.max(...[...first, ...second].map(({ n }) => n))).toBe(5);
      const { revokedBy, note, ...numbered } = target(5, named(5, 7));
      expect([...first, ...second]).toContainEqual(numbered);
    });

    it('ends a log and begins another one, without events and with the targets that are in force', async () => {
      await append(1);
      const head = { epoch: 'next', n: 1000, h: 'h' };
      await store.transaction(async (transaction) => {
        expect((await transaction.holdHead()).n).toBe(1);
        await transaction.replaceLog(head);
      });
      expect([await store.head(), await store.events(1, 10)]).toEqual([head, []]);
      await append(1001);
      await reopen();
      expect(await store.head()).toEqual({ epoch: 'next', n: 1001, h: 'hash-1001' });
      expect(await revoked({ jti: 'jti-1' })).toBe(true);
    });

    it('refuses an event that does not follow the head', async () => {
      await append(1);
      await expect(append(1)).rejects.toThrow('does not follow');
      await expect(append(3)).rejects.toThrow('does not follow');
      expect((await store.head()).n).toBe(1);
    });

    it('keeps unsent events in the outbox, oldest first, until they are marked', async () => {
      await append(1, { sent: false });
      await append(2);
      await append(3, { sent: false });
      expect((await store.unsentEvents(10)).map(({ n }) => n)).toEqual([1, 3]);
      expect(await store.isSent(1)).toBe(false);
      expect(await store.deliveries(1, 2)).toEqual([
        { n: 1, t: event(1).t, sent: false },
        { n: 2, t: event(2).t, sent: true },
      ]);
      expect((await store.deliveries(2, 9)).map(({ n, sent }) => [n, sent])).toEqual([
        [2, true],
        [3, false],
      ]);
      await store.markSent([]);
      await store.markSent([1]);
      expect(await store.isSent(1)).toBe(true);
      await reopen();
      expect((await store.unsentEvents(10)).map(({ n }) => n)).toEqual([3]);
    });

    it('finds a revoked token by jti and by kid whatever its rn', async () => {
      await append(1, { kind: 'token', value: 'j1' });
      await append(2, { kind: 'key', value: 'k1' });
      expect(await revoked({ jti: 'j1', rn: 99 })).toBe(true);
      expect(await revoked({ kid: 'k1', rn: 99 })).toBe(true);
      expect(await revoked({ jti: 'k1', kid: 'j1', rn: 0 })).toBe(false);
    });

    it('finds a watermark above rn, and none at or below it', async () => {
      await append(1, { kind: 'subject', value: 's' });
      const watermarks = [{ kind: 'subject', value: 's' }] as const;
      expect(await revoked({ watermarks, rn: 0 })).toBe(true);
      expect(await revoked({ watermarks, rn: 1 })).toBe(false);
      expect(await revoked({ watermarks: [{ kind: 'client', value: 's' }], rn: 0 })).toBe(false);
    });

    it('remembers a request by who made it and under which id', async () => {
      const request = (requestedBy: string, requestId: string) => ({ requestedBy, requestId, digest: 'd', n: 1, acknowledgedAtMs: 5 });
      const find = (...names: [string, string][]) =>
        store.transaction((transaction) => transaction.findRequests(names.map(([requestedBy, requestId]) => ({ requestedBy, requestId }))));
      const added = [request('a', 'r1'), request('a', 'r2'), request('b', 'r3')];
      await store.transaction((transaction) => transaction.addRequests(added));
      await store.transaction((transaction) => transaction.addRequests([]));
      expect(await find(['a', 'r1'])).toEqual([request('a', 'r1')]);
      expect(new Set(await find(['b', 'r3'], ['a', 'r2'], ['b', 'r2'], ['a', 'r3']))).toEqual(
        new Set([request('a', 'r2'), request('b', 'r3')]),
      );
      expect([await find(['b', 'r1'], ['a', 'r4']), await find()]).toEqual([[], []]);
      const again = store.transaction((transaction) => transaction.addRequests([request('a', 'r5'), request('a', 'r1')]));
      await expect(again).rejects.toThrow();
      expect(await find(['a', 'r5'])).toEqual([]);
    });

    it('takes and finds as many requests at once as one event answers', async () => {
      const requests = Array.from({ length: 500 }, (_, index) => ({
        ...{ requestedBy: 'a', requestId: `r${index}`, digest: 'd', n: 1, acknowledgedAtMs: 5 },
      }));
      await store.transaction((transaction) => transaction.addRequests(requests));
      expect(await store.transaction((transaction) => transaction.findRequests(requests))).toHaveLength(500);
    });

    it('suspends and resumes a workload', async () => {
      const suspension = { clientId: 'a', suspendedBy: 'o', suspendedAtMs: 7, note: 'why' };
      await store.transaction((transaction) => transaction.suspend(suspension));
      await store.transaction((transaction) => transaction.suspend({ ...suspension, note: 'again' }));
      expect(await store.suspensions()).toEqual([suspension]);
      expect(await store.transaction((transaction) => transaction.suspendedAmong(['a', 'b']))).toEqual(['a']);
      await store.transaction((transaction) => transaction.resume('a'));
      expect(await store.transaction((transaction) => transaction.suspendedAmong(['a', 'b']))).toEqual([]);
    });

    it('lists targets in force newest first, below a position', async () => {
      await append(1);
      await append(2, { exp: 500 });
      await append(3, { note: 'stolen' });
      expect((await store.listTargets(500, 100, 10)).map(({ n }) => n)).toEqual([3, 1]);
      expect((await store.listTargets(499, 100, 10)).map(({ n }) => n)).toEqual([3, 2, 1]);
      expect(await store.listTargets(0, 4, 1)).toEqual([target(3, { note: 'stolen' })]);
      expect((await store.listTargets(0, 3, 1)).map(({ n }) => n)).toEqual([2]);
    });

    it('forgets an assertion id only when no clock tolerance could still accept the assertion', async () => {
      await use('j1', 'a', 1000);
      await store.deleteExpired(1120);
      expect(await use('j1', 'a', 1000)).toBe(false);
      await store.deleteExpired(1121);
      expect(await use('j1', 'a', 1000)).toBe(true);
    });

    it('T-32 forgets a target at its expiry and not before', async () => {
      await append(1, { value: 'j1', exp: 1000 });
      await store.deleteExpired(999);
      expect(await revoked({ jti: 'j1' })).toBe(true);
      await store.deleteExpired(1000);
      expect(await revoked({ jti: 'j1' })).toBe(false);
    });

    it('forgets any number of them, and nothing else', async () => {
      await append(1, { exp: 500 });
      const many = (from: number, exp: number) =>
        Array.from({ length: 500 }, (_, index) => ({ ...target(1), value: `many-${from + index}`, exp }));
      for (let n = 2; n <= 6; n++) {
        const targets = many(500 * n, n === 6 ? 501 : 500).map((one) => ({ ...one, n }));
        await store.transaction((transaction) => transaction.appendEvent({ ...event(n), sent: true }, targets));
      }
      await store.deleteExpired(500);
      expect((await store.targetsBetween(1, 6)).map(({ n, exp }) => `${n} ${exp}`)).toEqual(Array.from({ length: 500 }, () => '6 501'));
    });

    it('forgets sent events and requests after a day, and unsent events never', async () => {
      const day = 86_400;
      await append(1);
      await append(2, { sent: false });
      await store.transaction((transaction) =>
        transaction.addRequests([{ requestedBy: 'a', requestId: 'r1', digest: 'd', n: 1, acknowledgedAtMs: 1000 }]),
      );
      await store.deleteExpired(day + 1);
      expect((await store.events(1, 10)).map(({ n }) => n)).toEqual([1, 2]);
      await store.deleteExpired(day + 3);
      expect((await store.events(1, 10)).map(({ n }) => n)).toEqual([2]);
      expect(await store.transaction((transaction) => transaction.findRequests([{ requestedBy: 'a', requestId: 'r1' }]))).toEqual([]);
      expect((await store.head()).n).toBe(2);
    });

    testKeyRecords({
      get store() {
        return store;
      },
      reopen,
    });

    it('tells how old its oldest event is, and forgets events up to a position', async () => {
      const oldest = () => store.transaction((transaction) => transaction.oldestEventMs());
      expect(await oldest()).toBeUndefined();
      for (const n of [1, 2, 3]) await append(n);
      expect(await oldest()).toBe(1000);
      await store.transaction((transaction) => transaction.forgetEvents(2));
      expect(await oldest()).toBe(3000);
      expect((await store.head()).n).toBe(3);
      expect((await store.listTargets(0, 10, 10)).map(({ n }) => n)).toEqual([3, 2, 1]);
    });

    const family = { sid: 's1', clientId: 'a', grant: '{}', handles: { jti: '', kid: '', watermarks: [], rn: 1 }, exp: 1000 };
    const usage = (n: number) => ({ usedAtMs: n, digest: `digest-${n}`, sealedAnswer: `answer-${n}` });
    const begin = (hash = 'h1') =>
      store.transaction(async (transaction) => {
        await transaction.addFamily({ ...family, sid: `s-${hash}` });
        await transaction.addRefreshToken({ hash, sid: `s-${hash}` });
      });
    const findToken = (hash: string) => store.transaction((transaction) => transaction.findRefreshToken(hash));

    it('T-20 lets one of many that use a refresh token at the same instant have it', async () => {
      await begin();
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => store.transaction((transaction) => transaction.useRefreshToken('h1', usage(n + 1)))),
      );
      expect(answers.filter((won) => won)).toHaveLength(1);
      expect((await findToken('h1'))?.use).toEqual(usage(answers.indexOf(true) + 1));
      expect(await store.transaction((transaction) => transaction.useRefreshToken('h2', usage(1)))).toBe(false);
    });

    it('T-21 knows over a restart that a refresh token was used', async () => {
      await begin();
      expect(await findToken('h1')).toEqual({ hash: 'h1', sid: 's-h1' });
      await store.transaction((transaction) => transaction.useRefreshToken('h1', usage(7)));
      await reopen();
      expect(await findToken('h1')).toEqual({ hash: 'h1', sid: 's-h1', use: usage(7) });
      expect(await store.transaction((transaction) => transaction.useRefreshToken('h1', usage(8)))).toBe(false);
    });

    it('T-22 has no trace of a use that was not committed', async () => {
      await begin();
      const failing = store.transaction(async (transaction) => {
        await transaction.useRefreshToken('h1', usage(1));
        await transaction.addRefreshToken({ hash: 'h2', sid: 's-h1' });
        throw new Error('the work failed');
      });
      await expect(failing).rejects.toThrow('the work failed');
      expect(await findToken('h1')).toEqual({ hash: 'h1', sid: 's-h1' });
      expect(await findToken('h2')).toBeUndefined();
    });

    it('keeps a family and its tokens, used ones as well, until no clock could count it as alive', async () => {
      await begin();
      const find = () => store.transaction((transaction) => transaction.findFamily('s-h1'));
      expect(await store.transaction((transaction) => transaction.latestFamilyExp())).toBe(1000);
      await store.transaction((transaction) => transaction.useRefreshToken('h1', usage(998_000)));
      await store.deleteExpired(1000);
      expect((await findToken('h1'))?.use?.sealedAnswer).toBe('answer-998000');
      await store.deleteExpired(1120);
      expect(await find()).toEqual({ ...family, sid: 's-h1' });
      expect((await findToken('h1'))?.use).toEqual({ ...usage(998_000), sealedAnswer: '' });
      await store.deleteExpired(1121);
      expect([await find(), await findToken('h1')]).toEqual([undefined, undefined]);
      expect(await store.transaction((transaction) => transaction.latestFamilyExp())).toBe(0);
    });

    it('keeps an opaque token until no clock could count it as alive', async () => {
      const token = { hash: 'h1', claims: '{"jti":"j1"}', exp: 1000 };
      await store.transaction((transaction) => transaction.addOpaqueToken(token));
      const find = () => store.transaction((transaction) => transaction.findOpaqueToken('h1'));
      await store.deleteExpired(1120);
      expect(await find()).toEqual(token);
      await store.deleteExpired(1121);
      expect(await find()).toBeUndefined();
    });

    it('finds what was revoked at a time or later', async () => {
      await append(1, { kind: 'subject', value: 'ada' });
      const since = (ms: number, value = 'ada') =>
        store.transaction((transaction) =>
          transaction.isRevokedSince(
            [
              { kind: 'subject', value },
              { kind: 'all', value: '' },
            ],
            ms,
          ),
        );
      expect(await since(1000)).toBe(true);
      expect(await since(1001)).toBe(false);
      expect(await since(0, 'bob')).toBe(false);
    });

    it('remembers the longest life that was ever configured', async () => {
      const longest = (seconds: number) => store.transaction((transaction) => transaction.longestLife(seconds));
      expect(await longest(900)).toBe(900);
      expect(await longest(3600)).toBe(3600);
      await reopen();
      expect(await longest(300)).toBe(3600);
    });
  });
}
