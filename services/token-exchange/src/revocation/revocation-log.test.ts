import { createRevocationSet, type FeedPublisher, genesisHash, openCheckpoint, openEvent, openSnapshot } from '@tokenmesh/revocation';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Store } from '../record/store.ts';
import { createTestIssuer, issuerUrl, mesh, operator, reasonOf, type TestIssuer } from '../testing.ts';
import type { Revocation } from './revocation.ts';
import { openRevocationLog } from './revocation-log.ts';

const expected = { issuer: issuerUrl, mesh };
let issuer: TestIssuer;
beforeEach(async () => {
  issuer = await createTestIssuer();
});
afterEach(() => issuer.close());

const revocation = (value: string, others: Partial<Revocation> = {}): Revocation => ({
  targets: [{ kind: 'subject', value }],
  requestedBy: operator,
  ...others,
});
const append = (value: string, others: Partial<Revocation> = {}) => issuer.revocations.append(revocation(value, others));
const events = async () =>
  (await issuer.store.events(1, 100)).map(({ compact }) => openEvent(compact, issuer.keys.feed.verification, expected));

/** A courier whose answers the test gives. */
function createTestPublisher(): FeedPublisher & { up: boolean; published: number[]; checkpoints: string[]; onPublished: () => void } {
  const courier = {
    name: 'memory',
    up: true,
    published: [] as number[],
    checkpoints: [] as string[],
    onPublished: () => {},
    async publishEvent({ n }: { n: number }) {
      if (!courier.up) throw new Error('the courier is away');
      courier.published.push(n);
      courier.onPublished();
    },
    publishCheckpoint: (compact: string) => void courier.checkpoints.push(compact),
    close: async () => {},
  };
  return courier;
}

describe('an append', () => {
  it('is durable, in force, and told to listeners when it is acknowledged', async () => {
    const heard: number[] = [];
    issuer.revocations.listen({ onEvent: ({ n }) => heard.push(n), onCheckpoint: () => {} });
    const applied: number[] = [];
    issuer.revocations.view.onApplied(() => applied.push(issuer.revocations.view.set.size));
    const acknowledgement = await append('a');
    expect(acknowledgement).toEqual({ n: 1, acknowledgedAtMs: issuer.now(), broadcast: 'sent' });
    expect((await issuer.store.head()).n).toBe(1);
    expect([heard, applied]).toEqual([[1], [1]]);
    const token = { kid: 'k', claims: { sub: 'a', aud: 'x', iat: 0, rn: 0 } };
    expect(issuer.revocations.view.set.find(token)).toMatchObject({ kind: 'subject', n: 1 });
    expect(issuer.revocations.view.freshness()).toMatchObject({ state: 'fresh', ageMs: 0, n: 1 });
  });

  it('chains each event to the one before, from the epoch’s own beginning', async () => {
    for (const value of ['a', 'b', 'c']) await append(value);
    const { epoch, h } = await issuer.store.head();
    let prev = genesisHash(epoch);
    for (const { event, hash } of await events()) {
      expect(event.prev).toBe(prev);
      prev = hash;
    }
    expect(prev).toBe(h);
  });

  it('shares one event with those that come at the same time', async () => {
    const acknowledgements = await Promise.all(Array.from({ length: 300 }, (_, index) => append(`s${index}`)));
    expect(new Set(acknowledgements.map(({ n }) => n))).toEqual(new Set([1]));
    expect((await events()).map(({ event }) => event.targets.length)).toEqual([300]);
  });

  it('puts no more than 500 targets into one event, and splits no request', async () => {
    const request = (name: string, count: number) =>
      issuer.revocations.append({
        requestedBy: operator,
        targets: Array.from({ length: count }, (_, index) => ({ kind: 'subject', value: `${name}${index}` })),
      });
    const acknowledgements = await Promise.all([request('a', 499), request('b', 1), request('c', 1), request('d', 500)]);
    expect(acknowledgements.map(({ n }) => n)).toEqual([1, 1, 2, 3]);
    expect((await events()).map(({ event }) => event.targets.length)).toEqual([500, 1, 500]);
  });

  it('keeps events that are shared far below what a courier takes', async () => {
    const large = () =>
      issuer.revocations.append({
        requestedBy: operator,
        targets: Array.from({ length: 100 }, (_, index) => ({ kind: 'subject', value: `${index}`.padEnd(512, 'x') })),
      });
    await Promise.all([large(), large(), large()]);
    for (const { compact } of await issuer.store.events(1, 10)) expect(compact.length).toBeLessThan(256 * 1024);
  });

  it('writes one target for what several ask for in one event', async () => {
    await Promise.all([append('a', { note: 'first' }), append('a', { note: 'second' })]);
    expect((await issuer.store.listTargets(0, 9, 9)).map(({ value, note }) => [value, note])).toEqual([['a', 'first']]);
  });

  it('reaches nobody when the record does not take it', async () => {
    await issuer.close();
    let broken = false;
    issuer = await createTestIssuer({
      store: (store) => ({ ...store, transaction: (work) => (broken ? Promise.reject(new Error('disk full')) : store.transaction(work)) }),
    });
    const heard: number[] = [];
    issuer.revocations.listen({ onEvent: ({ n }) => heard.push(n), onCheckpoint: () => {} });
    broken = true;
    await expect(append('a')).rejects.toThrow('disk full');
    expect([heard, issuer.revocations.view.set.size]).toEqual([[], 0]);
    broken = false;
    expect((await append('a')).n).toBe(1);
  });

  it('gives every waiting request of a batch that failed its own answer, and goes on', async () => {
    const tooLarge = issuer.revocations.append({ targets: [{ kind: 'subject', value: 'x'.repeat(3000) }], requestedBy: operator });
    await expect(tooLarge).rejects.toThrow();
    expect((await append('a')).n).toBe(1);
  });

  it('suspends a workload in the same transaction', async () => {
    await append('w', { suspend: 'w', note: 'stolen' });
    expect(await issuer.store.suspensions()).toEqual([
      { clientId: 'w', suspendedBy: operator, suspendedAtMs: issuer.now(), note: 'stolen' },
    ]);
  });
});

describe('a repeated request', () => {
  it('answers as the first one did, one after the other, at once, and after a restart', async () => {
    const first = await append('a', { requestId: 'r1' });
    issuer.clock.nowMs += 5000;
    expect(await append('a', { requestId: 'r1' })).toEqual(first);
    const [b, c] = await Promise.all([append('b', { requestId: 'r2' }), append('b', { requestId: 'r2' })]);
    expect(b).toEqual(c);
    expect((await issuer.store.head()).n).toBe(2);
    const again = await openLog(issuer.store);
    expect(await again.append(revocation('a', { requestId: 'r1' }))).toEqual(first);
    await again.close();
  });

  it('is refused when it asks for something else', async () => {
    await append('a', { requestId: 'r1' });
    expect(await reasonOf(append('b', { requestId: 'r1' }))).toBe('REQUEST_INVALID');
    const [, second] = await Promise.allSettled([append('c', { requestId: 'r2' }), append('d', { requestId: 'r2' })]);
    expect(second).toMatchObject({ status: 'rejected', reason: { reason: 'REQUEST_INVALID' } });
  });

  it('has an id of at most 256 characters', async () => {
    expect((await append('a', { requestId: 'r'.repeat(256) })).n).toBe(1);
    expect(await reasonOf(append('a', { requestId: 'r'.repeat(257) }))).toBe('REQUEST_INVALID');
  });

  it('is another request when somebody else makes it: nobody can use up another’s ids', async () => {
    await append('a', { requestId: 'r1', requestedBy: 'somebody' });
    expect((await append('b', { requestId: 'r1' })).n).toBe(2);
  });
});

describe('how long a revocation is remembered', () => {
  const expOf = async (target: Revocation['targets'][number]) => {
    await issuer.revocations.append({ targets: [target], requestedBy: operator });
    return (await events()).at(-1)?.event.targets[0]?.exp;
  };
  const nowSeconds = () => Math.floor(issuer.now() / 1000);

  it('is until the last token it could cover is dead, clock tolerance included', async () => {
    expect(await expOf({ kind: 'subject', value: 'a' })).toBe(nowSeconds() + 900 + 1 + 60);
    expect(await expOf({ kind: 'token', value: 'j', exp: nowSeconds() + 100 })).toBe(nowSeconds() + 100 + 60);
  });

  it('is a day longer for a key, which verifiers may know for so long', async () => {
    expect(await expOf({ kind: 'key', value: 'k' })).toBe(nowSeconds() + 900 + 1 + 60 + 86_400);
  });

  it('counts the longest life that was ever configured', async () => {
    const first = await openLog(issuer.store, { ceilingSeconds: 3600 });
    await first.close();
    const second = await openLog(issuer.store, { ceilingSeconds: 300 });
    await second.append(revocation('a'));
    await second.close();
    expect((await events()).at(-1)?.event.targets[0]?.exp).toBe(nowSeconds() + 3600 + 1 + 60);
  });

  it('outlives a clock that is ahead for a while, in force here, in the record and in snapshots', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const log = await openLog(issuer.store);
    await log.append(revocation('a'));
    issuer.clock.nowMs += 7_200_000;
    const { chunks } = await log.snapshot();
    vi.advanceTimersByTime(30_000);
    await log.close(); // waits for the housekeeping
    issuer.clock.nowMs -= 7_200_000;
    expect(chunks.length).toBe(1);
    expect(log.view.set.find({ kid: 'k', claims: { sub: 'a', aud: 'x', iat: 0, rn: 0 } })).toMatchObject({ n: 1 });
    const inForce = await issuer.store.listTargets(nowSeconds(), Number.MAX_SAFE_INTEGER, 10);
    expect(inForce.map(({ value }) => value)).toEqual(['a']);
  });

  it('counts from the latest time that tokens were dated with, also after a restart with a clock that is behind', async () => {
    const atFirst = nowSeconds();
    await append('a');
    issuer.clock.nowMs -= 7_200_000;
    expect(await expOf({ kind: 'subject', value: 'b' })).toBe(atFirst + 900 + 1 + 60);
    issuer.clock.nowMs += 14_400_000;
    await append('c'); // as the newest one it tells the next process what time it was
    issuer.clock.nowMs -= 7_200_000;
    const again = await openLog(issuer.store);
    await again.append(revocation('d'));
    await again.close();
    expect((await events()).at(-1)?.event.targets[0]?.exp).toBe(atFirst + 7200 + 900 + 1 + 60);
  });

  it('T-32 counts the sessions that may be beginning beside it, where transactions can be', async () => {
    const lifeOf = async (isShared: boolean, value: string) => {
      const log = await openLog({ ...issuer.store, isShared }, { sessionSeconds: () => 28_800 });
      const { n } = await log.append({ targets: [{ kind: 'subject', value }], requestedBy: 'operator' });
      await log.close();
      const [target] = await issuer.store.targetsBetween(n, n);
      return (target?.exp ?? 0) - Math.floor(issuer.clock.nowMs / 1000);
    };
    expect(await lifeOf(true, 'shared')).toBe(28_800 + 1 + 60);
    expect(await lifeOf(false, 'alone')).toBe(900 + 1 + 60);
  });

  it('T-32 outlasts a restart', async () => {
    await append('a');
    const again = await openLog(issuer.store);
    expect(again.view.set.find({ kid: 'k', claims: { sub: 'a', aud: 'x', iat: 0, rn: 0 } })).toMatchObject({ n: 1 });
    await again.close();
  });
});

describe('checkpoints and snapshots', () => {
  it('are signed by the feed’s key, for this mesh, with the nonce that was asked for', async () => {
    await append('a');
    const checkpoint = openCheckpoint(await issuer.revocations.checkpoint('nonce-1'), issuer.keys.feed.verification, expected);
    const { epoch, n, h } = await issuer.store.head();
    expect(checkpoint).toEqual({
      iss: issuerUrl,
      aud: mesh,
      epoch,
      n,
      h,
      t: issuer.now(),
      s: 5000,
      keysVersion: issuer.keys.version,
      nonce: 'nonce-1',
    });
    expect(() => openCheckpoint('', issuer.keys.token.verification, expected)).toThrow();
  });

  it('read the time before the position', async () => {
    const order: string[] = [];
    const note = <T>(what: string, read: () => T) => {
      order.push(what);
      return read();
    };
    const store: Store = { ...issuer.store, head: () => note('n', issuer.store.head) };
    const log = await openLog(store, { now: () => note('t', issuer.now) });
    order.length = 0;
    await log.checkpoint();
    expect(order).toEqual(['t', 'n']);
    await log.close();
  });

  it('hold every target in force at their position', async () => {
    await append('a');
    await append('b', { targets: [{ kind: 'token', value: 'j', exp: Math.floor(issuer.now() / 1000) - 61 }] });
    await append('a');
    const { head, entries } = await openSnapshot(await issuer.revocations.snapshot(), issuer.keys.feed.verification, expected);
    expect(head).toMatchObject({ n: 3, t: issuer.now(), h: (await issuer.store.head()).h });
    const set = createRevocationSet();
    set.load(entries);
    expect(set.size).toBe(1); // the other one has expired
    expect(set.find({ kid: 'k', claims: { sub: 'a', aud: 'x', iat: 0, rn: 2 } })).toEqual({ kind: 'subject', value: 'a', n: 3 });
  });

  it('are one snapshot for a fleet that starts at once, and what came after it is served as events', async () => {
    await append('a');
    const snapshots = await Promise.all(Array.from({ length: 1000 }, () => issuer.revocations.snapshot()));
    await append('b');
    expect(new Set([...snapshots, await issuer.revocations.snapshot()]).size).toBe(1);
    const [snapshot = { head: '', chunks: [] }] = snapshots;
    const { head } = await openSnapshot(snapshot, issuer.keys.feed.verification, expected);
    expect((await issuer.revocations.events(head.n + 1, 10)).map(({ n }) => n)).toEqual([2]);
  });

  it('come every second, to listeners and the courier', async () => {
    const courier = createTestPublisher();
    const log = await openLog(issuer.store, { publisher: courier });
    const compact = await new Promise<string>((resolve) => log.listen({ onEvent: () => {}, onCheckpoint: resolve }));
    expect(openCheckpoint(compact, issuer.keys.feed.verification, expected).n).toBe(0);
    expect(courier.checkpoints).toEqual([compact]);
    await log.close();
  });
});

describe('the outbox', () => {
  it('says sent when the courier took the event, and keeps it no longer', async () => {
    const courier = createTestPublisher();
    const log = await openLog(issuer.store, { publisher: courier });
    expect(await log.append(revocation('a'))).toMatchObject({ n: 1, broadcast: 'sent' });
    expect(courier.published).toEqual([1]);
    await log.close();
    expect(await issuer.store.unsentEvents(10)).toEqual([]);
  });

  it('hands an event over before anybody here hears of it', async () => {
    const heard: string[] = [];
    const courier = createTestPublisher();
    // the libraries of couriers write at the end of the turn
    courier.onPublished = () => queueMicrotask(() => heard.push('courier'));
    const log = await openLog(issuer.store, { publisher: courier });
    log.listen({ onEvent: () => heard.push('stream'), onCheckpoint: () => {} });
    log.view.onApplied(() => heard.push('own verifier'));
    await log.append(revocation('a'));
    expect(heard).toEqual(['courier', 'own verifier', 'stream']);
    await log.close();
  });

  it('says pending while the courier is away, and hands the event over when it is back', async () => {
    const courier = createTestPublisher();
    courier.up = false;
    const problems: string[] = [];
    const log = await openLog(issuer.store, { publisher: courier, onProblem: (problem: string) => problems.push(problem) });
    expect(await log.append(revocation('a', { requestId: 'r1' }))).toMatchObject({ n: 1, broadcast: 'pending' });
    expect(problems).toContain('publish');
    expect(log.view.set.size).toBe(1);
    const published = new Promise<void>((resolve) => {
      courier.onPublished = resolve;
    });
    courier.up = true;
    await published;
    await log.close(); // waits until it is marked
    expect(courier.published).toEqual([1]);
    const again = await openLog(issuer.store, { publisher: courier });
    expect(await again.append(revocation('a', { requestId: 'r1' }))).toMatchObject({ n: 1, broadcast: 'sent' });
    await again.close();
  });

  it('says pending when the courier takes too long', async () => {
    const { promise: delivery, resolve: deliver } = Promise.withResolvers<void>();
    const log = await openLog(issuer.store, { publisher: { ...createTestPublisher(), publishEvent: () => delivery } });
    expect(await log.append(revocation('a'))).toMatchObject({ broadcast: 'pending' });
    deliver();
    await log.close();
  });

  it('marks together what the courier took, and hands over once more only what it never took', async () => {
    const courier = createTestPublisher();
    const marked: (readonly number[])[] = [];
    const store: Store = {
      ...issuer.store,
      markSent(positions) {
        marked.push(positions);
        return issuer.store.markSent(positions);
      },
    };
    const log = await openLog(store, { publisher: courier });
    for (const value of ['a', 'b', 'c']) await log.append(revocation(value, { requestId: value }));
    expect(await log.append(revocation('c', { requestId: 'c' }))).toMatchObject({ n: 3, broadcast: 'sent' });
    await log.close();
    expect(marked.flat()).toEqual([1, 2, 3]);
    expect(courier.published).toEqual([1, 2, 3]);
  });

  it('hands over hundreds that stayed behind in one sweep, each once', async () => {
    const away = createTestPublisher();
    away.up = false;
    const first = await openLog(issuer.store, { publisher: away });
    await issuer.store.transaction(async (transaction) => {
      for (let count = 0; count < 250; count++) await first.appendIn(transaction, revocation(`s${count}`));
    });
    await first.close();
    const courier = createTestPublisher();
    const all = new Promise<void>((resolve) => {
      courier.onPublished = () => courier.published.length === 250 && resolve();
    });
    const second = await openLog(issuer.store, { publisher: courier });
    await all;
    await second.close();
    expect(courier.published).toEqual(Array.from({ length: 250 }, (_, index) => index + 1));
    expect(await issuer.store.unsentEvents(1)).toEqual([]);
  });

  it('hands over what an earlier process committed and did not publish', async () => {
    const away = createTestPublisher();
    away.up = false;
    const first = await openLog(issuer.store, { publisher: away });
    await first.append(revocation('a'));
    await first.close();
    const courier = createTestPublisher();
    const published = new Promise<void>((resolve) => {
      courier.onPublished = resolve;
    });
    const second = await openLog(issuer.store, { publisher: courier });
    await published;
    expect(courier.published).toEqual([1]);
    await second.close();
  });

  it('is not used without a courier: the gRPC feed carries everything', async () => {
    expect(await append('a')).toMatchObject({ broadcast: 'sent' });
    expect(await issuer.store.unsentEvents(10)).toEqual([]);
  });
});

/** Another log over the record of the test's issuer. */
function openLog(store: Store, options: Partial<Parameters<typeof openRevocationLog>[0]> = {}) {
  const { keys, now, newId } = issuer;
  return openRevocationLog({
    store,
    keys,
    issuer: issuerUrl,
    mesh,
    staleAfterMs: 5000,
    ceilingSeconds: 900,
    onProblem: () => {},
    now,
    newId,
    ...options,
  });
}
