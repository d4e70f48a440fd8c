import { join } from 'node:path';
import { signServiceToken, verifyServiceToken } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore } from '../record/sqlite.ts';
import type { Store } from '../record/store.ts';
import { createVerifierReports, type VerifierReports } from '../revocation/verifier-reports.ts';
import { createTestLog, encryption, newId, temporaryDirectory } from '../testing.ts';
import type { KeyLifeSettings } from './key-life.ts';
import { type KeyRotation, startKeyRotation } from './key-rotation.ts';
import { type KeyRing, openKeyRing } from './keys.ts';

const hour = 3_600_000;
const settings: KeyLifeSettings = {
  alg: 'ES256',
  rotateEveryMs: 24 * hour,
  activationTimeoutMs: 20 * 60_000,
  feedAnnouncementMs: 10 * 60_000,
  longestLifeMs: 15 * 60_000,
};

let nowMs: number;
const now = () => nowMs;
let directory: ReturnType<typeof temporaryDirectory>;
let store: Store;
let replicas: Replica[];

/** What runs in one process of token-exchange, all over one record. */
interface Replica {
  readonly keys: KeyRing;
  readonly reports: VerifierReports;
  readonly rotation: KeyRotation;
  readonly log: ReturnType<typeof createTestLog>;
  readonly problems: [string, string][];
}

async function startReplica(more: Partial<KeyLifeSettings> = {}): Promise<Replica> {
  const keys = await openKeyRing({ store, encryption, alg: more.alg ?? 'ES256', now });
  const reports = createVerifierReports(now);
  const log = createTestLog();
  const problems: [string, string][] = [];
  const onProblem = (problem: string, error: unknown) => problems.push([problem, String(error)]);
  const rotation = startKeyRotation({ store, keys, reports, log, onProblem, now, newId, settings: { ...settings, ...more } });
  const replica = { keys, reports, rotation, log, problems };
  replicas.push(replica);
  await rotation.check();
  return replica;
}

const report = ({ reports }: Replica, instance: string, kids: readonly string[]) =>
  reports.add('spiffe://shop.test/orders', { instance, kids: [...kids], fresh_at_ms: nowMs, n: 0, version: '1', path: 'grpc' });
const stored = () => store.transaction((transaction) => transaction.keys());
const tokenKeys = async () => (await stored()).filter(({ purpose }) => purpose === 'token').map(({ kid, state }) => [kid, state] as const);
const events = ({ log }: Replica) => log.entries.map(({ event }) => event);
const kidsOf = ({ keys }: Replica) => keys.token.jwks.map(({ kid }) => kid);

beforeEach(async () => {
  nowMs = Date.UTC(2026, 5, 1);
  replicas = [];
  directory = temporaryDirectory();
  store = await openSqliteStore(join(directory.path, 'record.db'), { newId });
});
afterEach(async () => {
  for (const { rotation } of replicas) await rotation.close();
  await store.close();
  directory.remove();
});

describe('the rotation', () => {
  it('publishes a successor for each purpose at once, before it signs, and keeps kids to 8 characters', async () => {
    const { keys } = await startReplica();
    const { next } = keys.token;
    expect(next).toMatch(/^[\w-]{8}$/);
    expect(keys.token.signing.kid).not.toBe(next);
    expect(keys.token.jwks.map(({ kid }) => kid)).toEqual([keys.token.signing.kid, next]);
    expect(keys.feed.jwks.map(({ kid }) => kid)).toEqual([keys.feed.signing.kid, keys.feed.next]);
  });

  it('makes the successor sign when it is due, goes on verifying with the old key, and removes that one when its tokens are dead', async () => {
    const replica = await startReplica();
    const { keys, rotation } = replica;
    const [first, second] = kidsOf(replica);
    nowMs += 24 * hour;
    await rotation.check();
    expect(keys.token.signing.kid).toBe(second);
    expect(kidsOf(replica)).toEqual([second, keys.token.next, first]);
    nowMs += 15 * 60_000 + 90_001;
    await rotation.check();
    expect(kidsOf(replica)).toEqual([second, keys.token.next]);
    expect(events(replica)).toContain('key.removed');
  });

  it('rotates the feed key to the one that was announced', async () => {
    const { keys, rotation } = await startReplica();
    const { next } = keys.feed;
    nowMs += 24 * hour;
    await rotation.check();
    expect(keys.feed.signing.kid).toBe(next);
  });

  it('is held up by a verifier that lags, and goes on when it reports the key', async () => {
    const replica = await startReplica();
    const { keys, rotation, reports } = replica;
    const [first, second] = kidsOf(replica) as [string, string];
    nowMs += 24 * hour;
    report(replica, 'current', [first, second]);
    report(replica, 'lagging', [first]);
    await rotation.check();
    expect(keys.token.signing.kid).toBe(first);
    expect(await rotation.awaited(second)).toEqual(['spiffe://shop.test/orders lagging']);
    report(replica, 'lagging', [first, second]);
    await rotation.check();
    expect(keys.token.signing.kid).toBe(second);
    expect(reports.list()).toHaveLength(2);
    expect(events(replica)).not.toContain('key.activation_forced');
  });

  it('is not held up by a verifier that was silent for a minute', async () => {
    const replica = await startReplica();
    const { keys, rotation } = replica;
    const [first, second] = kidsOf(replica) as [string, string];
    nowMs += 24 * hour;
    report(replica, 'dead', [first]);
    nowMs += 60_000;
    await rotation.check();
    expect(keys.token.signing.kid).toBe(first);
    nowMs += 1;
    await rotation.check();
    expect(keys.token.signing.kid).toBe(second);
  });

  it('is forced past a verifier that reports and does not learn the key, with an alarm that names it', async () => {
    const replica = await startReplica();
    const { keys, rotation, log } = replica;
    const [first, second] = kidsOf(replica) as [string, string];
    nowMs += 24 * hour + 20 * 60_000 - 1;
    report(replica, 'lagging', [first]);
    await rotation.check();
    expect(keys.token.signing.kid).toBe(first);
    nowMs += 1;
    await rotation.check();
    expect(keys.token.signing.kid).toBe(second);
    expect(log.entries).toContainEqual(
      expect.objectContaining({ event: 'key.activation_forced', kid: second, awaited: ['spiffe://shop.test/orders lagging'] }),
    );
  });

  it('waits after a start until verifiers had time to report', async () => {
    const first = await startReplica();
    const [active] = kidsOf(first) as [string];
    await first.rotation.close();
    nowMs += 25 * hour;
    const second = await startReplica();
    expect(second.keys.token.signing.kid).toBe(active);
    nowMs += 15_000;
    await second.rotation.check();
    expect(second.keys.token.signing.kid).not.toBe(active);
  });

  it.each(['EdDSA', 'RS256'] as const)(
    'takes %s over with the next rotation after keys.alg changed, and its tokens verify',
    async (alg) => {
      await startReplica().then(({ rotation }) => rotation.close());
      nowMs += 24 * hour;
      const { keys, rotation } = await startReplica({ alg });
      nowMs += 20_000;
      await rotation.check();
      expect(keys.token.signing.alg).toBe(alg);
      expect(keys.feed.signing.alg).toBe('ES256');
      const iat = nowMs / 1000;
      const ids = { jti: 'j'.repeat(22), txn: 't'.repeat(22), client_id: 'spiffe://shop.test/a' };
      const claims = { iss: 'https://i.test', sub: ids.client_id, aud: 'b', exp: iat + 60, iat, scope: 's', rn: 0, ...ids };
      const token = signServiceToken(claims, keys.token.signing);
      const verified = await verifyServiceToken(token, { issuer: 'https://i.test', audience: 'b', keys: keys.token, now });
      expect(verified.kid).toBe(keys.token.signing.kid);
    },
  );
});

describe('two replicas over one record', () => {
  it('start with the same keys when they start at the same instant', async () => {
    const [one, two] = await Promise.all([startReplica(), startReplica()]);
    await Promise.all([one.rotation.check(), two.rotation.check()]);
    await one.rotation.check();
    expect(kidsOf(one)).toEqual(kidsOf(two));
    expect(await stored()).toHaveLength(4);
  });

  it('rotate once, whoever comes first, and the other one notices', async () => {
    const [one, two] = [await startReplica(), await startReplica()];
    const [, successor] = kidsOf(one);
    nowMs += 24 * hour;
    // each says that it knows the successor before either of them acts
    await Promise.all([one.rotation.check(), two.rotation.check()]);
    await Promise.all([one.rotation.check(), two.rotation.check()]);
    expect([one, two].map(({ keys }) => keys.token.signing.kid)).toEqual([successor, successor]);
    const activated = [one, two].flatMap(events).filter((event) => event === 'key.activated');
    expect(activated).toHaveLength(2); // one for each purpose
    expect((await tokenKeys()).map(([, state]) => state).sort()).toEqual(['active', 'published', 'retiring']);
  });

  it('wait for a verifier that reports to the other one, unless that replica is gone', async () => {
    const [one, two] = [await startReplica(), await startReplica()];
    const [first, second] = kidsOf(one) as [string, string];
    nowMs += 24 * hour;
    report(two, 'lagging', [first]);
    await two.rotation.check();
    await one.rotation.check();
    expect(one.keys.token.signing.kid).toBe(first);
    await two.rotation.close();
    nowMs += 15_001;
    await one.rotation.check();
    expect(one.keys.token.signing.kid).toBe(second);
  });
});

describe('keys that are no usable set', () => {
  it('F9 stop the signing of that purpose while they are, and their public keys stay', async () => {
    const replica = await startReplica();
    const { keys, rotation, problems } = replica;
    const before = kidsOf(replica);
    const changeState = (from: 'active' | 'published', to: 'active' | 'published') =>
      store.transaction(async (transaction) => {
        await transaction.lockKeys();
        await transaction.moveKey(before[1] ?? '', from, to, nowMs);
      });
    await changeState('published', 'active');
    await rotation.check();
    expect(() => keys.token.signing).toThrow(/must hold exactly one active token key; it holds 2/);
    expect(problems[0]?.[0]).toBe('keys.unusable');
    expect(kidsOf(replica)).toEqual(before);
    expect(keys.token.find(before[0] ?? '')).toBeDefined();
    expect(keys.feed.signing.kid).toMatch(/^[\w-]{8}$/);
    await changeState('active', 'published');
    await rotation.check();
    expect(keys.token.signing.kid).toBe(before[0]);
  });
});
