import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoredEvent, StoredTarget } from './store.ts';

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
      await store.markSent(1);
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
      const request = { requestedBy: 'a', requestId: 'r1', digest: 'd', n: 1, acknowledgedAtMs: 5 };
      await store.transaction((transaction) => transaction.addRequest(request));
      const find = (by: string, id: string) => store.transaction((transaction) => transaction.findRequest(by, id));
      expect(await find('a', 'r1')).toEqual(request);
      expect(await find('b', 'r1')).toBeUndefined();
      expect(await find('a', 'r2')).toBeUndefined();
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
      expect((await store.transaction((transaction) => transaction.targetsInForce(500))).map(({ n }) => n)).toEqual([1, 3]);
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

    it('forgets sent events and requests after a day, and unsent events never', async () => {
      const day = 86_400;
      await append(1);
      await append(2, { sent: false });
      await store.transaction((transaction) =>
        transaction.addRequest({ requestedBy: 'a', requestId: 'r1', digest: 'd', n: 1, acknowledgedAtMs: 1000 }),
      );
      await store.deleteExpired(day + 1);
      expect((await store.events(1, 10)).map(({ n }) => n)).toEqual([1, 2]);
      await store.deleteExpired(day + 3);
      expect((await store.events(1, 10)).map(({ n }) => n)).toEqual([2]);
      expect(await store.transaction((transaction) => transaction.findRequest('a', 'r1'))).toBeUndefined();
      expect((await store.head()).n).toBe(2);
    });

    it('keeps signing keys as they were given', async () => {
      const key = { kid: 'k1', purpose: 'token', alg: 'ES256', state: 'active', sealed: 'v1.x', changedAtMs: 3 } as const;
      await store.transaction((transaction) => transaction.addKey(key));
      await reopen();
      expect(await store.transaction((transaction) => transaction.keys())).toEqual([key]);
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
