import { expect, it } from 'vitest';
import type { KeyState } from './key-records.ts';
import type { Store } from './store.ts';

/**
 * What every adapter of the record must hold about signing keys: tests, within those of `testStore`.
 *
 * @param record The store as it is open now; empty at the beginning of each test.
 */
export function testKeyRecords(record: { readonly store: Store; reopen(): Promise<void> }): void {
  it('keeps signing keys as they were given', async () => {
    const key = {
      kid: 'k1',
      purpose: 'token',
      alg: 'ES256',
      state: 'active',
      sealed: 'v1.x',
      changedAtMs: 3,
      rotationRequestedAtMs: 0,
    } as const;
    await record.store.transaction((transaction) => transaction.addKey(key));
    await record.reopen();
    expect(await record.store.transaction((transaction) => transaction.keys())).toEqual([key]);
  });

  it('moves a signing key from the state that it is in, and from no other', async () => {
    const key = { kid: 'k1', purpose: 'token', alg: 'ES256', state: 'published', sealed: 'v1.x', changedAtMs: 3 } as const;
    await record.store.transaction((transaction) => transaction.addKey({ ...key, rotationRequestedAtMs: 0 }));
    const move = (from: KeyState, to: KeyState) => record.store.transaction((transaction) => transaction.moveKey('k1', from, to, 9));
    expect(await move('active', 'retiring')).toBe(false);
    expect(await move('published', 'active')).toBe(true);
    expect(await move('published', 'active')).toBe(false);
    expect(await record.store.transaction((transaction) => transaction.keys())).toEqual([
      { ...key, state: 'active', changedAtMs: 9, rotationRequestedAtMs: 0 },
    ]);
    await record.store.transaction((transaction) => transaction.removeKey('k1'));
    expect(await record.store.transaction((transaction) => transaction.keys())).toEqual([]);
  });

  it('keeps the first wish for the rotation of an active key, until the key signs no more', async () => {
    const add = (kid: string, state: KeyState) =>
      record.store.transaction((transaction) =>
        transaction.addKey({ kid, purpose: 'token', alg: 'ES256', state, sealed: 's', changedAtMs: 1, rotationRequestedAtMs: 0 }),
      );
    const wish = (kid: string, nowMs: number) => record.store.transaction((transaction) => transaction.requestRotation(kid, nowMs));
    const wishes = async () =>
      (await record.store.transaction((transaction) => transaction.keys())).map((key) => key.rotationRequestedAtMs);
    await add('a', 'active');
    await add('b', 'published');
    await wish('a', 5);
    await wish('a', 6);
    await wish('b', 5);
    expect(await wishes()).toEqual([5, 0]);
    await record.store.transaction((transaction) => transaction.moveKey('a', 'active', 'retiring', 1));
    expect(await wishes()).toEqual([0, 0]);
  });

  it('counts the changes of signing keys, and lets one transaction at a time make them', async () => {
    const before = await record.store.keysVersion();
    let inside = 0;
    const change = () =>
      record.store.transaction(async (transaction) => {
        await transaction.lockKeys();
        const count = (await transaction.keys()).length;
        inside = Math.max(inside, count);
        // of many that find none at the same instant, one adds
        if (count === 0)
          await transaction.addKey({
            ...{ kid: `k${inside}`, purpose: 'token', alg: 'ES256', state: 'active', sealed: 's' },
            ...{ changedAtMs: 1, rotationRequestedAtMs: 0 },
          });
      });
    await Promise.all(Array.from({ length: 8 }, change));
    expect(await record.store.transaction((transaction) => transaction.keys())).toHaveLength(1);
    expect(await record.store.keysVersion()).toBe(before + 8);
    await record.store.transaction((transaction) => transaction.lockKeys(2 ** 32));
    expect(await record.store.keysVersion()).toBe(before + 8 + 2 ** 32);
  });

  it('keeps what each replica last said of its verifiers, and forgets who fell silent', async () => {
    const put = (replica: string, heardAtMs: number, staleMs = 0) =>
      record.store.transaction((transaction) => transaction.putReadiness({ replica, kid: 'k', awaited: heardAtMs, heardAtMs }, staleMs));
    const replicas = async () =>
      (await record.store.transaction((transaction) => transaction.readiness()))
        .map(({ replica, awaited }) => `${replica} ${awaited}`)
        .sort();
    await put('a', 1);
    await put('b', 2);
    await put('b', 3);
    expect(await replicas()).toEqual(['a 1', 'b 3']);
    await put('c', 4, 3);
    expect(await replicas()).toEqual(['b 3', 'c 4']);
  });
}
