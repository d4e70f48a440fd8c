import { exportJwk, generateSigningKey, type Jwk, type SigningKey } from '@tokenmesh/token';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Checkpoint, openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { signEvent } from './event.ts';
import { createRevocationFeed } from './feed.ts';
import type { FeedStatus } from './feed-reports.ts';
import { createMemoryCourier, createMemoryRecord } from './testing.ts';

const issuer = 'https://token-exchange.shop.test';
const mesh = 'shop.test';
const target = { kind: 'token', value: 'a', exp: 4_102_444_800 } as const;

/** An issuer whose checkpoints come over a courier when a test wants it, and a feed that follows. The record serves the keys that are in `served`. */
async function follow() {
  const record = createMemoryRecord();
  const courier = createMemoryCourier('nats');
  const served: SigningKey[] = [record.key];
  const heard: number[] = [];
  const statuses: FeedStatus[] = [];
  let monotonicMs = 0;
  let questions = 0;
  const feed = createRevocationFeed({
    ...{ issuer, mesh, courier: courier.transport, random: () => 0, monotonicNow: () => monotonicMs },
    onKeysVersion: (version) => heard.push(version),
    report: (status) => statuses.push(status),
    record: {
      snapshot: (signal) => record.snapshot(signal),
      listEvents: (from, signal) => record.listEvents(from, signal),
      checkpoint: (nonce, signal) => record.checkpoint(nonce, signal),
      async keys() {
        questions++;
        return { keys: served.map((key): Jwk => exportJwk(key)), version: record.keysVersion };
      },
    },
  });
  onTestFinished(() => feed.close());
  await feed.ready();
  await vi.waitUntil(() => statuses.some((status) => status.type === 'path' && status.event === 'up'));
  await vi.waitUntil(() => feed.freshness().state === 'fresh');
  /** Delivers what the courier is given, and waits until the feed has it. */
  const deliver = async (compact: string) => {
    courier.publisher.publishCheckpoint(compact);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    ...{ record, served, heard, statuses, deliver, courier },
    questions: () => questions,
    /** A second passes by the clock that never steps. */
    wait: () => {
      monotonicMs += 1001;
    },
    checkpoint: (members: Partial<Checkpoint> = {}) => {
      const { keysVersion, key } = record;
      return signCheckpoint({ iss: issuer, aud: mesh, ...record.head(), t: Date.now(), s: 5000, keysVersion, ...members }, key);
    },
  };
}

test('asks for the feed’s keys as soon as a checkpoint names a later version, and forgets the one that was withdrawn', async () => {
  const { record, served, statuses, questions, wait, deliver, checkpoint, courier } = await follow();
  const stolen = record.key;
  const successor = generateSigningKey();
  served.push(successor);
  record.keysVersion = 1;
  wait();
  await deliver(checkpoint());
  await vi.waitUntil(() => questions() === 2);
  record.key = successor;
  served.splice(0, 1);
  record.keysVersion = 2;
  wait();
  await deliver(checkpoint({ t: Date.now() + 1 }));
  await vi.waitUntil(() => questions() === 3);
  const event = { iss: issuer, aud: mesh, iat: 1, jti: 'j', ...record.head(), n: 1, t: 1, prev: record.head().h, targets: [target] };
  await vi.waitUntil(async () => {
    await courier.publisher.publishEvent({ epoch: 'e1', n: 1, compact: signEvent(event, stolen).compact });
    return statuses.some((status) => status.type === 'rejected' && status.reason === 'SIGNING_KEY_UNKNOWN');
  });
});

test('tells which version a checkpoint names only when that counts: not of one that was played again, forged or is from the future', async () => {
  const { record, heard, questions, wait, deliver, checkpoint } = await follow();
  const t = Date.now() + 10;
  heard.length = 0;
  const counting = checkpoint({ t });
  await deliver(counting);
  expect(heard).toEqual([0]);
  record.keysVersion = 7;
  wait();
  await deliver(checkpoint({ t: t - 1 }));
  await deliver(checkpoint({ t: t + 3_600_000 }));
  await deliver(checkpoint({ t: t + 1, n: 5 }));
  await deliver(signCheckpoint({ iss: issuer, aud: mesh, ...record.head(), t: t + 1, s: 5000, keysVersion: 8 }, generateSigningKey()));
  expect(heard).toEqual([0]);
  await deliver(checkpoint({ t: t + 2 }));
  expect(heard).toEqual([0, 7]);
  await vi.waitUntil(() => questions() === 2);
});

test('a checkpoint that says nothing of keys is one like others', async () => {
  const { record, heard, deliver } = await follow();
  heard.length = 0;
  await deliver(signCheckpoint({ iss: issuer, aud: mesh, ...record.head(), t: Date.now() + 10, s: 5000 }, record.key));
  expect(heard).toEqual([]);
});

test('a version of keys is a whole number, and comes out as it was signed', () => {
  const key = generateSigningKey();
  const checkpoint: Checkpoint = { iss: issuer, aud: mesh, epoch: 'e', n: 1, h: 'h'.repeat(43), t: 1, s: 5000, keysVersion: 3 };
  const open = (compact: string) => openCheckpoint(compact, new Map([[key.kid, key]]), { issuer, mesh });
  expect(open(signCheckpoint(checkpoint, key))).toEqual(checkpoint);
  expect(() => signCheckpoint({ ...checkpoint, keysVersion: -1 }, key)).toThrow('"keys_version" is not a whole number');
});
