import { generateSigningKey, type VerifiedToken } from '@tokenmesh/token';
import { expect, onTestFinished, test, vi } from 'vitest';
import { signCheckpoint } from './checkpoint.ts';
import { signEvent } from './event.ts';
import { createRevocationFeed } from './feed.ts';
import { type FeedRecord, type FeedTransport, PositionGoneError } from './feed-ports.ts';
import type { FeedStatus } from './feed-reports.ts';
import type { RevocationFeed, RevocationFeedOptions } from './revocation-feed.ts';
import { createMemoryCourier, createMemoryRecord, type MemoryCourier, type MemoryRecord, publishFrom } from './testing.ts';

const exp = 4_102_444_800;
const staleAfterMs = 400;
const target = (value: string) => ({ kind: 'token', value, exp }) as const;

function tokenOf(jti: string, rn = 0): VerifiedToken {
  const claims = { iss: 'i', sub: 's', aud: 'a', exp, iat: 1, jti, client_id: 'c', scope: '', txn: 't', rn };
  return { claims, kid: 'k', scope: [] };
}

interface Watched {
  readonly feed: RevocationFeed;
  readonly statuses: readonly FeedStatus[];
  /** Resolves as soon as the condition holds, looked at after every status and every applied target. */
  until(condition: () => boolean): Promise<void>;
}

/** A feed that is closed when the test ends. */
function follow(record: FeedRecord, options: Partial<RevocationFeedOptions> = {}): Watched {
  const statuses: FeedStatus[] = [];
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const report = (status: FeedStatus) => {
    statuses.push(status);
    change();
  };
  const origin = { issuer: 'https://token-exchange.shop.test', mesh: 'shop.test' };
  const feed = createRevocationFeed({ record, ...origin, staleAfterMs, report, ...options });
  feed.onApplied(change);
  onTestFinished(() => feed.close());
  const until = async (condition: () => boolean) => {
    while (!condition()) await changed.promise;
  };
  return { feed, statuses, until };
}

/** An issuer that beats every 20 ms over a courier. */
function issue(options: { pageSize?: number } = {}): { record: MemoryRecord; courier: MemoryCourier; mute(): void } {
  const record = createMemoryRecord({ staleAfterMs, ...options });
  const courier = createMemoryCourier('nats');
  const end = publishFrom(record, courier.publisher);
  const beats = setInterval(() => record.beat(), 20);
  const mute = () => {
    clearInterval(beats);
    end();
  };
  onTestFinished(mute);
  return { record, courier, mute };
}

const kinds = ({ statuses }: Watched) =>
  statuses.map((status) => (status.type === 'alarm' ? status.alarm.kind : status.type === 'rejected' ? status.reason : status.type));

test('is empty until the record has confirmed it, then fresh, and holds what was revoked before it started', async () => {
  const { record, courier } = issue();
  record.append([target('before')]);
  const { feed } = follow(record, { courier: courier.transport });
  expect(feed.freshness()).toEqual({ state: 'empty' });
  await feed.ready();
  await expect.poll(() => feed.freshness()).toMatchObject({ state: 'fresh', epoch: 'e1', n: 1, path: 'nats' });
  expect(feed.set.find(tokenOf('before'))).toMatchObject({ kind: 'token', value: 'before', n: 1 });
});

test('puts an event into force and tells the listeners, until they leave', async () => {
  const { record, courier } = issue();
  const { feed, until } = follow(record, { courier: courier.transport });
  await feed.ready();
  const told: number[] = [];
  const leave = feed.onApplied(() => told.push(feed.set.size));
  record.append([target('a'), target('b')]);
  await until(() => feed.set.size === 2);
  expect(told).toEqual([2]);
  leave();
  record.append([target('c')]);
  await until(() => feed.set.size === 3);
  expect(told).toEqual([2]);
});

test('a listener that throws is reported and stops nothing', async () => {
  const { record, courier } = issue();
  const watched = follow(record, { courier: courier.transport });
  await watched.feed.ready();
  watched.feed.onApplied(() => {
    throw new Error('broken');
  });
  let told = 0;
  watched.feed.onApplied(() => told++);
  record.append([target('a')]);
  await watched.until(() => told > 0);
  expect(kinds(watched)).toContain('listener-failed');
});

test('fills a gap of several pages when a checkpoint tells of it', async () => {
  const { record, courier } = issue({ pageSize: 2 });
  const watched = follow(record, { courier: courier.transport });
  const { feed, until } = watched;
  await feed.ready();
  const lost = { ...courier.publisher };
  courier.publisher.publishEvent = async () => {};
  for (let index = 0; index < 7; index++) record.append([target(`lost-${index}`)]);
  courier.publisher.publishEvent = lost.publishEvent;
  await until(() => feed.set.size === 7);
  expect(feed.freshness()).toMatchObject({ n: 7 });
  expect(kinds(watched)).not.toContain('request-failed');
});

test('needs no path but the record, which it then asks by itself', async () => {
  const record = createMemoryRecord({ staleAfterMs });
  const { feed, until } = follow(record);
  await feed.ready();
  record.append([target('a')]);
  await until(() => feed.set.size === 1);
  expect(feed.freshness()).toMatchObject({ state: 'fresh', path: 'record' });
});

test('takes the snapshot when the missing events are not kept any more', async () => {
  const { record, courier } = issue();
  const { feed, until } = follow(record, { courier: courier.transport });
  await feed.ready();
  courier.publisher.publishEvent = async () => {};
  const told: boolean[] = [];
  feed.onApplied(() => told.push(['a', 'b', 'c'].every((value) => feed.set.find(tokenOf(value)) !== undefined)));
  for (const value of ['a', 'b', 'c']) record.append([target(value)]);
  record.compact(2);
  await until(() => told.includes(true));
  await expect.poll(() => feed.freshness()).toMatchObject({ state: 'fresh', n: 3 });
});

test('forged, foreign and replayed messages are reported and change nothing', async () => {
  const { record, courier } = issue();
  const watched = follow(record, { courier: courier.transport });
  const { feed, until } = watched;
  await feed.ready();
  const { event, compact } = record.append([target('a')]);
  await until(() => feed.set.size === 1);
  const forged = { ...event, n: 2, targets: [{ kind: 'all', value: '', exp }] } as const;
  const checkpoint = { iss: event.iss, aud: event.aud, epoch: 'e1', n: 1, h: event.prev, t: Date.now(), s: staleAfterMs };
  const messages = [
    signEvent(forged, generateSigningKey()).compact,
    signEvent(forged, generateSigningKey('ES256', record.key.kid)).compact,
    signEvent({ ...forged, aud: 'other.test' }, record.key).compact,
    signEvent({ ...forged, iss: 'https://evil.test' }, record.key).compact,
    signCheckpoint(checkpoint, record.key),
    'no token at all',
    compact,
  ];
  for (const [n, message] of messages.entries()) await courier.publisher.publishEvent({ epoch: 'e1', n, compact: message });
  courier.publisher.publishCheckpoint(signCheckpoint(checkpoint, generateSigningKey('ES256', record.key.kid)));
  record.append([target('b')]);
  await until(() => feed.set.size === 2);
  await until(() => kinds(watched).filter((kind) => kind === 'TOKEN_SIGNATURE_INVALID').length === 2);
  const rejected = watched.statuses.flatMap((status) => (status.type === 'rejected' ? [status.reason] : []));
  expect(rejected).toEqual([
    'SIGNING_KEY_UNKNOWN',
    'TOKEN_SIGNATURE_INVALID',
    'AUDIENCE_MISMATCH',
    'ISSUER_UNTRUSTED',
    'TOKEN_TYPE_REJECTED',
    'TOKEN_MALFORMED',
    'TOKEN_SIGNATURE_INVALID',
  ]);
  expect(feed.set.find(tokenOf('x'))).toBeUndefined();
  await expect.poll(() => feed.freshness()).toMatchObject({ state: 'fresh', n: 2 });
  expect(kinds(watched)).not.toContain('equivocation');
});

test('nothing that is reported holds a signed message', async () => {
  const { record, courier } = issue();
  const watched = follow(record, { courier: courier.transport });
  await watched.feed.ready();
  const { event } = record.append([target('a')]);
  const foreign = signEvent({ ...event, n: 2 }, generateSigningKey()).compact;
  await courier.publisher.publishEvent({ epoch: 'e1', n: 2, compact: foreign });
  await watched.until(() => kinds(watched).includes('SIGNING_KEY_UNKNOWN'));
  expect(JSON.stringify(watched.statuses)).not.toContain('eyJ');
});

test('learns a new feed key from the record when it meets it, and what it signed meanwhile', async () => {
  const { record, courier } = issue();
  let monotonic = 0;
  const { feed, until } = follow(record, { courier: courier.transport, monotonicNow: () => monotonic });
  await feed.ready();
  monotonic += 1_001;
  await record.keys();
  record.key = generateSigningKey();
  record.append([target('a')]);
  await until(() => feed.set.size === 1);
  await expect.poll(() => feed.freshness()).toMatchObject({ state: 'fresh', n: 1 });
});

test('a restart is never fresh without an answer that carries its nonce', async () => {
  const { record, courier } = issue();
  const replayed = await record.checkpoint('an-older-nonce');
  let asked = 0;
  let honest = false;
  const replaying: FeedRecord = {
    keys: () => record.keys(),
    snapshot: () => record.snapshot(),
    listEvents: (from) => record.listEvents(from),
    checkpoint: async (nonce) => (honest ? record.checkpoint(nonce) : ([replayed, record.beat()][asked++ % 2] ?? replayed)),
  };
  const watched = follow(replaying, { courier: courier.transport });
  await watched.until(() => asked >= 3);
  expect(watched.feed.freshness()).toEqual({ state: 'empty' });
  expect(kinds(watched)).toContain('request-failed');
  honest = true;
  await watched.feed.ready();
});

test('an answer ages from the question on, and one that took longer than S confirms nothing', async () => {
  const { record } = issue();
  let tookMs = staleAfterMs + 1;
  let passedMs = 0;
  const slow: FeedRecord = {
    keys: () => record.keys(),
    snapshot: () => record.snapshot(),
    listEvents: (from) => record.listEvents(from),
    checkpoint: async (nonce) => {
      passedMs += tookMs;
      return record.checkpoint(nonce);
    },
  };
  const watched = follow(slow, { monotonicNow: () => performance.now() + passedMs });
  await watched.until(() => kinds(watched).some((kind) => kind === 'request-failed' || kind === 'freshness'));
  expect(kinds(watched)).not.toContain('freshness');
  tookMs = staleAfterMs / 2;
  await watched.feed.ready();
  // Nothing broadcast has come since: it ages from the question on.
  const freshness = watched.feed.freshness();
  expect(freshness.state === 'empty' ? 0 : freshness.ageMs).toBeGreaterThanOrEqual(tookMs);
});

test('goes on trying while the record is away at the start, and then is fresh', async () => {
  const { record, courier } = issue();
  record.outage = new Error('down');
  const watched = follow(record, { courier: courier.transport });
  await watched.until(() => kinds(watched).filter((kind) => kind === 'request-failed').length >= 3);
  expect(watched.feed.freshness()).toEqual({ state: 'empty' });
  record.outage = undefined;
  await watched.feed.ready();
});

test('keys that are none are refused and asked for again', async () => {
  const record = createMemoryRecord({ staleAfterMs });
  let bad = 2;
  const watched = follow({
    ...{
      snapshot: () => record.snapshot(),
      listEvents: (from) => record.listEvents(from),
      checkpoint: (nonce) => record.checkpoint(nonce),
    },
    keys: async () => (bad-- > 0 ? { keys: [{ kid: 'k', kty: 'oct', alg: 'HS256' }], version: 0 } : record.keys()),
  });
  await watched.feed.ready();
  expect(kinds(watched).slice(0, 2)).toEqual(['request-failed', 'request-failed']);
});

test('two histories are an alarm and stale, until the record has told which is true', async () => {
  const { record, courier } = issue();
  const watched = follow(record, { courier: courier.transport });
  const { feed, until } = watched;
  await feed.ready();
  const zombie = createMemoryRecord({ staleAfterMs, key: record.key });
  record.append([target('true')]);
  await until(() => feed.set.size === 1);
  const { event, compact } = zombie.append([target('false')]);
  record.outage = new Error('down');
  await courier.publisher.publishEvent({ epoch: event.epoch, n: event.n, compact });
  await until(() => kinds(watched).includes('equivocation'));
  expect(feed.freshness()).toMatchObject({ state: 'stale' });
  expect(feed.set.find(tokenOf('true'))).toBeDefined();
  record.outage = undefined;
  await until(() => feed.freshness().state === 'fresh');
  for (const jti of ['true', 'false']) expect(feed.set.find(tokenOf(jti))).toBeDefined();
});

test('follows the record into a new epoch, in which everything issued before is revoked', async () => {
  const { record, courier } = issue();
  const { feed, until } = follow(record, { courier: courier.transport });
  record.append([target('a')]);
  await feed.ready();
  expect(feed.set.find(tokenOf('other', 999))).toBeUndefined();
  record.beginEpoch('e2', 1_000);
  await until(() => feed.set.find(tokenOf('other', 999)) !== undefined);
  expect(feed.set.find(tokenOf('other', 1_000))).toBeUndefined();
  await expect.poll(() => feed.freshness()).toMatchObject({ state: 'fresh', epoch: 'e2', n: 1_000 });
});

test('falls over when the courier is cut, misses nothing, and goes back when the courier is fresh again', async () => {
  const { record, courier } = issue();
  const second = createMemoryCourier('grpc');
  publishFrom(record, second.publisher);
  const watched = follow(record, { courier: courier.transport, fallback: second.transport });
  const { feed, until } = watched;
  const paths = () => watched.statuses.flatMap((status) => (status.type === 'path' ? [`${status.path} ${status.event}`] : []));
  await feed.ready();
  await until(() => paths().includes('nats up'));
  courier.interrupt();
  record.append([target('meanwhile')]);
  await until(() => paths().includes('grpc up'));
  record.append([target('over-there')]);
  await until(() => feed.set.size === 2);
  expect(feed.freshness()).toMatchObject({ state: 'fresh', path: 'grpc' });
  courier.restore();
  await until(() => paths().includes('nats chosen'));
  expect(paths()).toEqual(['nats up', 'nats down', 'grpc chosen', 'grpc up', 'nats up', 'nats chosen']);
  record.append([target('back')]);
  await until(() => feed.set.size === 3);
  expect(feed.freshness()).toMatchObject({ state: 'fresh', path: 'nats' });
  expect(watched.statuses.filter(({ type }) => type === 'freshness')).toHaveLength(1);
});

test('falls over at once when the courier says that it is down, and asks the record after every connection', async () => {
  const record = createMemoryRecord({ staleAfterMs: 60_000 });
  const [courier, second] = [createMemoryCourier('nats'), createMemoryCourier('grpc')];
  let asked = 0;
  const counting: FeedRecord = {
    keys: () => record.keys(),
    snapshot: () => record.snapshot(),
    listEvents: (from) => record.listEvents(from),
    checkpoint: (nonce) => {
      asked++;
      return record.checkpoint(nonce);
    },
  };
  const { feed, statuses, until } = follow(counting, { courier: courier.transport, fallback: second.transport, staleAfterMs: 60_000 });
  await feed.ready();
  const connections = () => statuses.filter((status) => status.type === 'path' && status.event === 'up').length;
  await until(() => connections() === 1);
  courier.interrupt();
  await until(() => connections() === 2);
  courier.restore();
  await until(() => connections() === 3);
  // The first may be asked before and after the first connection.
  await expect.poll(() => asked).toBeGreaterThanOrEqual(3);
});

test('falls over when the courier is connected but silent', async () => {
  const { record, courier } = issue();
  const second = createMemoryCourier('grpc');
  publishFrom(record, second.publisher);
  const { feed, statuses, until } = follow(record, { courier: courier.transport, fallback: second.transport });
  await feed.ready();
  courier.publisher.publishCheckpoint = () => {};
  await until(() => statuses.some((status) => status.type === 'path' && status.path === 'grpc' && status.event === 'up'));
  expect(feed.freshness()).toMatchObject({ state: 'fresh' });
});

test('without a courier the fallback is the path', async () => {
  const { record, courier } = issue();
  const { feed, until, statuses } = follow(record, { fallback: courier.transport });
  await feed.ready();
  await until(() => statuses.some((status) => status.type === 'path' && status.event === 'up'));
  expect(feed.freshness()).toMatchObject({ path: 'nats' });
  record.append([target('a')]);
  await until(() => feed.set.size === 1);
});

test('is stale when nothing is heard for S, still refuses what it knows, and is fresh again when the record answers', async () => {
  const { record, courier } = issue();
  record.append([target('known')]);
  const { feed, until } = follow(record, { courier: courier.transport });
  await feed.ready();
  courier.interrupt();
  record.outage = new Error('down');
  await until(() => feed.freshness().state === 'stale');
  expect(feed.set.find(tokenOf('known'))).toBeDefined();
  record.append([target('meanwhile')]);
  record.outage = undefined;
  await until(() => feed.freshness().state === 'fresh');
  expect(feed.set.find(tokenOf('meanwhile'))).toBeDefined();
});

test('T-53 a verifier whose clock is behind by more than the tolerance is not fresh, and says why', async () => {
  const { record, courier } = issue();
  let behindMs = 5_500;
  const watched = follow(record, { courier: courier.transport, now: () => Date.now() - behindMs });
  await watched.until(() => kinds(watched).filter((kind) => kind === 'request-failed').length === 2);
  expect(kinds(watched)).toContain('future');
  expect(watched.feed.freshness()).toEqual({ state: 'empty' });
  behindMs = 4_500;
  await watched.feed.ready();
});

test('forgets targets whose time has passed', async () => {
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const record = createMemoryRecord({ staleAfterMs, now });
  const soon = Math.floor(Date.now() / 1000) + 100;
  record.append([{ kind: 'token', value: 'soon', exp: soon }, target('late')]);
  const { feed } = follow(record, { now });
  await feed.ready();
  expect(feed.set.size).toBe(2);
  aheadMs = 102_000;
  await expect.poll(() => feed.set.size).toBe(1);
});

test('forgets nothing while its clock is ahead, for what is revoked has to stay so when the clock is set right', async () => {
  const record = createMemoryRecord({ staleAfterMs });
  record.append([{ kind: 'token', value: 'soon', exp: Math.floor(Date.now() / 1000) + 100 }]);
  let [aheadMs, questions] = [0, 0];
  const { feed, until } = follow(record, { now: () => Date.now() + aheadMs, newId: () => `${++questions}` });
  await feed.ready();
  aheadMs = 7_200_000;
  const asked = questions;
  await expect.poll(() => questions).toBeGreaterThan(asked + 1); // it asks in its ticks, in which it also forgets
  aheadMs = 0;
  await until(() => feed.freshness().state === 'fresh');
  expect(feed.set.find(tokenOf('soon'))).toBeDefined();
});

test('tells its statuses to whoever asks, until it is closed', async () => {
  const { record, courier } = issue();
  const { feed } = follow(record, { courier: courier.transport });
  const seen: string[] = [];
  const reading = (async () => {
    for await (const status of feed.status()) seen.push(status.type);
  })();
  await feed.ready();
  await feed.close();
  await reading;
  expect(seen).toContain('freshness');
});

test('close ends both paths, the timer and the open question, rejects ready, and may be called twice', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const open = new Set<string>();
  const transport = (name: string): FeedTransport => ({
    name,
    subscribe(_position, handlers) {
      open.add(name);
      setImmediate(() => handlers.onDown());
      return { close: async () => void open.delete(name) };
    },
  });
  let aborted = false;
  const never = (signal?: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        aborted = true;
        reject(signal.reason);
      });
    });
  const record = { ...createMemoryRecord(), keys: never };
  const { feed, until } = follow(record, { courier: transport('nats'), fallback: transport('grpc') });
  await until(() => open.has('grpc'));
  expect([...open]).toEqual(['nats', 'grpc']);
  const ready = feed.ready();
  await feed.close();
  await feed.close();
  await expect(ready).rejects.toThrow('closed before it was fresh');
  expect([...open]).toEqual([]);
  expect(aborted).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test('a feed whose ready() nobody awaits is closed without an unhandled rejection', async () => {
  const record = createMemoryRecord();
  record.outage = new Error('down');
  await using feed = createRevocationFeed({ record, issuer: record.issuer, mesh: record.mesh });
  expect(feed.freshness()).toEqual({ state: 'empty' });
});

test('T-44 options out of range are refused when the feed is created, and those at its ends are taken', async () => {
  const record = createMemoryRecord();
  const create = (options: Partial<RevocationFeedOptions>) => () => createRevocationFeed({ record, issuer: 'i', mesh: 'm', ...options });
  for (const staleAfterMs of [100, 3_600_000]) await create({ staleAfterMs })().close();
  for (const futureToleranceMs of [0, 60_000]) await create({ futureToleranceMs })().close();
  for (const staleAfterMs of [99, 3_600_001, Number.NaN]) expect(create({ staleAfterMs })).toThrow(TypeError);
  for (const futureToleranceMs of [-1, 60_001]) expect(create({ futureToleranceMs })).toThrow(TypeError);
});

test('holds all of a new epoch’s snapshot or nothing of it, however slowly it comes', async () => {
  const record = createMemoryRecord({ staleAfterMs });
  for (let index = 0; index < 30; index++) record.append(Array.from({ length: 500 }, (_, i) => target(`jti-${index}-${i}`)));
  const held = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  let isSlow = false;
  const { feed, until } = follow({
    keys: (signal) => record.keys(signal),
    checkpoint: (nonce, signal) => record.checkpoint(nonce, signal),
    listEvents: (from, signal) => record.listEvents(from, signal),
    async snapshot() {
      const { head, chunks } = await record.snapshot();
      if (!isSlow) return { head, chunks };
      async function* slowly() {
        yield* chunks.slice(0, 1);
        reached.resolve();
        await held.promise;
        yield* chunks.slice(1);
      }
      return { head, chunks: slowly() };
    },
  });
  await feed.ready();
  isSlow = true;
  record.beginEpoch('e2', 1_000_000);
  await reached.promise;
  const entryOfNewEpoch = () => feed.set.find(tokenOf('of nobody', 31));
  expect([feed.set.size, entryOfNewEpoch()]).toEqual([15_000, undefined]);
  expect(feed.set.find(tokenOf('jti-29-499'))).toBeDefined();
  held.resolve();
  await until(() => feed.set.size === 15_001);
  expect(entryOfNewEpoch()).toMatchObject({ kind: 'all', n: 1_000_000 });
  expect(feed.set.find(tokenOf('jti-29-499'))).toBeDefined();
});

test('does not go on reading a snapshot that it refused', async () => {
  const record = createMemoryRecord({ staleAfterMs });
  record.append([target('a')]);
  const abandoned = Promise.withResolvers<void>();
  const watched = follow({
    keys: (signal) => record.keys(signal),
    checkpoint: (nonce, signal) => record.checkpoint(nonce, signal),
    listEvents: (from, signal) => record.listEvents(from, signal),
    async snapshot(signal) {
      const { head } = await record.snapshot();
      signal?.addEventListener('abort', () => abandoned.resolve());
      return { head, chunks: [new Uint8Array(23)] };
    },
  });
  await abandoned.promise;
  await watched.until(() => kinds(watched).includes('request-failed'));
  expect(kinds(watched)).toContain('TOKEN_MALFORMED');
  expect(watched.feed.freshness()).toEqual({ state: 'empty' });
});

test('keeps in force what it heard of beyond the position of a snapshot', async () => {
  const { record, courier } = issue();
  const older = Promise.withResolvers<Awaited<ReturnType<typeof record.snapshot>>>();
  let asked = 0;
  const { feed, until } = follow(
    {
      keys: (signal) => record.keys(signal),
      checkpoint: (nonce, signal) => record.checkpoint(nonce, signal),
      async listEvents(from) {
        if (from.n <= 2) throw new PositionGoneError('compacted');
        return await record.listEvents(from);
      },
      snapshot: async () => (asked++ === 0 ? await record.snapshot() : await older.promise),
    },
    { courier: courier.transport },
  );
  await feed.ready();
  const { publishEvent } = courier.publisher;
  courier.publisher.publishEvent = async () => {};
  for (const value of ['a', 'b']) record.append([target(value)]);
  const before = await record.snapshot();
  courier.publisher.publishEvent = publishEvent;
  record.append([target('c')]);
  await until(() => feed.set.find(tokenOf('c')) !== undefined);
  older.resolve(before);
  await until(() => feed.set.find(tokenOf('a')) !== undefined);
  await expect.poll(() => feed.freshness()).toMatchObject({ state: 'fresh', n: 3 });
  for (const value of ['a', 'b', 'c']) expect(feed.set.find(tokenOf(value)), value).toBeDefined();
});
