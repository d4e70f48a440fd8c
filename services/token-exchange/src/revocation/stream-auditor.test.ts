import {
  type CourierStream,
  type FeedPublisher,
  genesisHash,
  type StreamMessage,
  type StreamState,
  signEvent,
} from '@tokenmesh/revocation';
import { createRevocationStream, natsPublisher, revocationStreamName, revocationSubjects } from '@tokenmesh/revocation/nats';
import { generateSigningKey } from '@tokenmesh/token';
import { connect, type NatsConnection, type StreamAPI } from 'nats';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../record/store.ts';
import { createTestIssuer, issuerUrl, mesh, operator, type TestIssuer } from '../testing.ts';
import { createCourier } from './courier.ts';
import { openRevocationLog } from './revocation-log.ts';
import { type StreamFinding, startStreamAuditor } from './stream-auditor.ts';
import { hasNatsServer, startTestNats, type TestNats } from './test-nats.ts';

if (!hasNatsServer) console.warn('No nats-server: its stream is not audited (TOKENMESH_NATS_SERVER, or nats-server on the PATH).');

const streamName = revocationStreamName(mesh);
const { events: subject } = revocationSubjects(mesh);
const intervalMs = 20;

let issuer: TestIssuer;
let findings: StreamFinding[];
const kinds = () => findings.map(({ kind }) => kind);
const found = (kind: StreamFinding['kind']) => findings.find((finding) => finding.kind === kind)?.what;
const revoke = (value: string) => issuer.revocations.append({ targets: [{ kind: 'subject', value }], requestedBy: operator });
const record = async () => (await issuer.store.events(1, 100)).map(({ compact }) => compact);

/** An event as the issuer would write it, at this position. */
function forge(epoch: string, n: number, key = generateSigningKey()): string {
  const iat = Math.floor(issuer.now() / 1000);
  const targets = [{ kind: 'subject', value: 'somebody', exp: iat + 100 }] as const;
  return signEvent({ iss: issuerUrl, aud: mesh, iat, jti: `j${n}`, epoch, n, t: issuer.now(), prev: genesisHash(epoch), targets }, key)
    .compact;
}

describe.skipIf(!hasNatsServer)('the stream of a real nats-server', () => {
  let nats: TestNats;
  let publisher: FeedPublisher;
  let operatorsConnection: NatsConnection;
  let streams: StreamAPI;
  const problems: string[] = [];
  beforeAll(async () => {
    nats = await startTestNats();
    operatorsConnection = await connect({ servers: nats.servers, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
    streams = (await operatorsConnection.jetstreamManager()).streams;
  });
  afterAll(async () => {
    await operatorsConnection.close();
    await nats.remove();
  });
  beforeEach(async () => {
    await createRevocationStream({ servers: nats.servers, mesh });
    publisher = createCourier(
      'nats',
      () => natsPublisher({ servers: nats.servers, mesh }),
      () => {},
    );
    await expect.poll(() => publisher.stream, { interval: 5 }).toBeDefined();
    [findings, problems.length] = [[], 0];
    issuer = await createTestIssuer({
      log: {
        publisher,
        streamAuditIntervalMs: intervalMs,
        onFinding: (finding) => findings.push(finding),
        onProblem: (_problem, error) => problems.push((error as Error).message),
      },
    });
    for (const value of ['a', 'b', 'c']) expect(await revoke(value)).toMatchObject({ broadcast: 'sent' });
    // a finding of nothing: the auditor has read all three
    await operatorsConnection.jetstream().publish(subject, 'hello');
    await seen('foreign');
    findings.length = 0;
  });
  afterEach(async () => {
    await issuer.close();
    await publisher.close();
    await streams.delete(streamName).catch(() => undefined);
  });

  async function seen(kind: StreamFinding['kind']): Promise<void> {
    await expect.poll(kinds, { timeout: 10_000, interval: 5 }).toContain(kind);
  }

  async function inStream(): Promise<readonly string[]> {
    const { state } = await streams.info(streamName);
    const texts: string[] = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await streams.getMessage(streamName, { seq }).catch(() => undefined);
      if (message) texts.push(message.string());
    }
    return texts;
  }

  async function holdsTheRecord(): Promise<void> {
    await expect
      .poll(async () => (await inStream()).filter((text) => text.includes('.')).sort(), { timeout: 10_000 })
      .toEqual((await record()).sort());
  }

  it('is refilled when it was deleted and is created again, and both are told and audited', async () => {
    await streams.delete(streamName);
    await expect.poll(() => problems, { timeout: 10_000 }).toContain(`The stream ${streamName} does not exist: create it first`);
    await createRevocationStream({ servers: nats.servers, mesh });
    await holdsTheRecord();
    expect(await inStream()).toEqual(await record());
    await seen('missing');
    expect(kinds()).toEqual(['recreated', 'missing']);
    expect(found('missing')).toEqual({ count: '3', n: '1, 2, 3' });
    const audited = () => issuer.store.queryAudit({ kind: 'stream.missing' }, 10);
    await expect.poll(async () => (await audited()).map(({ who, what }) => [who, what.n])).toEqual([['token-exchange', '1, 2, 3']]);
  });

  it('is refilled when it was purged, though the server remembers every id', async () => {
    await streams.purge(streamName);
    await holdsTheRecord();
    expect(kinds()).toEqual(['missing']);
  });

  it('gets back the one message that was removed from it, once, however many replicas miss it', async () => {
    const { keys, store, now, newId } = issuer;
    const options = {
      keys,
      store,
      issuer: issuerUrl,
      mesh,
      staleAfterMs: 5000,
      ceilingSeconds: 900,
      now,
      newId,
      publisher,
      onProblem: () => {},
    };
    const others: StreamFinding[] = [];
    const other = await openRevocationLog({ ...options, streamAuditIntervalMs: intervalMs, onFinding: (finding) => others.push(finding) });
    await expect.poll(() => others.length).toBe(1); // 'hello'
    await streams.delete(streamName); // deny_delete cannot be taken back
    await streams.add({ name: streamName, subjects: [subject], max_age: 3600e9, duplicate_window: 600e9 });
    await holdsTheRecord();
    for (const list of [findings, others]) list.length = 0;
    await streams.deleteMessage(streamName, 2);
    await holdsTheRecord();
    await operatorsConnection.jetstream().publish(subject, 'again');
    await expect
      .poll(() => [findings, others].every((list) => list.some(({ kind }) => kind === 'foreign')), { timeout: 10_000 })
      .toBe(true);
    expect(found('missing') ?? others.find(({ kind }) => kind === 'missing')?.what).toEqual({ count: '1', n: '2' });
    expect((await inStream()).filter((text) => text.includes('.')).sort()).toEqual((await record()).sort());
    await other.close();
  });

  it('is told to hold what the record did not publish, once', async () => {
    const { epoch } = await issuer.store.head();
    await operatorsConnection.jetstream().publish(subject, forge(epoch, 9));
    await seen('foreign');
    const { last_seq } = (await streams.info(streamName)).state;
    expect(findings).toEqual([{ kind: 'foreign', what: { count: '1', seq: String(last_seq) } }]);
    findings.length = 0;
    // of a former epoch, by our own key: neither foreign nor missing; what comes after it shows that it was read
    await operatorsConnection.jetstream().publish(subject, forge('former', 9, issuer.keys.feed.signing));
    await operatorsConnection.jetstream().publish(subject, forge('former', 9));
    await seen('foreign');
    expect(findings).toEqual([{ kind: 'foreign', what: { count: '1', seq: String(last_seq + 2) } }]);
  });

  it('is told to hold something else at a position of the record, by whichever key', async () => {
    const { epoch } = await issuer.store.head();
    await operatorsConnection.jetstream().publish(subject, forge(epoch, 2, issuer.keys.feed.signing));
    await seen('altered');
    expect(found('altered')).toMatchObject({ count: '1' });
  });

  it('is refilled when an older copy of its directory was put in its place', async () => {
    nats.backup();
    expect(await revoke('d')).toMatchObject({ broadcast: 'sent' });
    await operatorsConnection.jetstream().publish(subject, 'read until here');
    await seen('foreign');
    findings.length = 0;
    await nats.kill();
    nats.restore();
    await nats.start();
    await seen('rewound');
    await holdsTheRecord();
    expect(kinds()).toContain('missing');
  });
});

/** A stream in memory, whose messages the test puts and takes away. */
function createMemoryStream() {
  const messages = new Map<number, StreamMessage>();
  const stream = {
    messages,
    lastSeq: 0,
    maxAgeMs: 3_600_000,
    refills: [] as number[],
    onState: () => {},
    full: false,
    put(compact: string) {
      stream.lastSeq++;
      messages.set(stream.lastSeq, { seq: stream.lastSeq, storedAt: `at ${stream.lastSeq}`, compact });
      return stream.lastSeq;
    },
    state: async (): Promise<StreamState> => {
      stream.onState();
      return { created: 'once', firstSeq: 1, lastSeq: stream.lastSeq, deleted: new Set(), maxAgeMs: stream.maxAgeMs };
    },
    read: async (seq: number) => messages.get(seq),
    async refill({ n, compact }: { n: number; compact: string }): Promise<number> {
      if (stream.full) throw new Error('the disk is full');
      stream.refills.push(n);
      return stream.put(compact);
    },
  } satisfies CourierStream & Record<string, unknown>;
  return stream;
}

describe('an audit of a stream', () => {
  let stream: ReturnType<typeof createMemoryStream>;
  let stop: () => Promise<void>;
  let epoch: string;
  const problems: unknown[] = [];
  beforeEach(async () => {
    issuer = await createTestIssuer();
    stream = createMemoryStream();
    ({ epoch } = await issuer.store.head());
    [findings, problems.length] = [[], 0];
    stop = async () => {};
  });
  afterEach(async () => {
    await stop();
    await issuer.close();
  });

  function audit(options: Partial<Parameters<typeof startStreamAuditor>[0]> = {}): void {
    const { store, keys, now } = issuer;
    stop = startStreamAuditor({
      ...{ store, keys, issuer: issuerUrl, mesh, epoch, now, intervalMs: 1 },
      stream: () => stream,
      onFinding: (finding) => findings.push(finding),
      onProblem: (error) => problems.push(error),
      ...options,
    });
  }

  /** Two rounds from now on: one that was under way, and a whole one. */
  async function rounds(count = 2): Promise<void> {
    for (let round = 0; round < count; round++) {
      const { promise, resolve } = Promise.withResolvers<void>();
      stream.onState = resolve;
      await promise;
    }
  }

  async function appendAndPublish(count: number): Promise<void> {
    for (let n = 1; n <= count; n++) await revoke(`s${n}`);
    for (const text of await record()) stream.put(text);
  }

  it('finds nothing in one that has it all, however often it looks', async () => {
    await appendAndPublish(3);
    audit();
    await rounds(5);
    expect([findings, stream.refills, problems]).toEqual([[], [], []]);
  });

  it('does not miss what the courier has not taken yet, and does as soon as it took it', async () => {
    await appendAndPublish(2);
    stream.messages.delete(2);
    let isSent = false;
    const deliveries: Store['deliveries'] = async (from, limit) =>
      (await issuer.store.deliveries(from, limit)).map((delivery) => ({ ...delivery, sent: delivery.n !== 2 || isSent }));
    audit({ store: { ...issuer.store, deliveries } });
    await rounds(4);
    expect([findings, stream.refills]).toEqual([[], []]);
    isSent = true;
    await rounds(3);
    expect([kinds(), stream.refills]).toEqual([['missing'], [2]]);
  });

  it('does not miss what is too old for the stream', async () => {
    await revoke('old');
    issuer.clock.nowMs += stream.maxAgeMs - 60_000;
    await revoke('young');
    audit();
    await rounds(3);
    expect(stream.refills).toEqual([2]);
  });

  it('finds what a disk forgot or changed without a word, and puts it right', async () => {
    await appendAndPublish(3);
    audit();
    await rounds(2);
    stream.messages.delete(1);
    stream.messages.set(2, { seq: 2, storedAt: 'at 2', compact: (stream.messages.get(2)?.compact ?? '').replace('.', '.x') });
    await rounds(4);
    expect(findings).toEqual([
      { kind: 'altered', what: { count: '1', seq: '2' } },
      { kind: 'missing', what: { count: '2', n: '1, 2' } },
    ]);
    expect(stream.refills).toEqual([1, 2]);
  });

  it('notices an older copy of it that has grown since by another message under the last number', async () => {
    await appendAndPublish(2);
    audit();
    await rounds(2);
    const [, second = ''] = await record();
    stream.messages.set(2, { seq: 2, storedAt: 'later', compact: second });
    await rounds(2);
    expect(findings).toEqual([{ kind: 'rewound', what: { last_seq: '2', formerly_last_seq: '2' } }]);
  });

  it('tells of a loss once, and tries to make it good until it has', async () => {
    await revoke('a');
    stream.full = true;
    audit();
    await rounds(4);
    expect([kinds(), problems.length > 1]).toEqual([['missing'], true]);
    stream.full = false;
    await rounds(3);
    expect([kinds(), stream.refills]).toEqual([['missing'], [1]]);
  });

  it('misses nothing that lies before the part of a long stream that it read', async () => {
    await appendAndPublish(2);
    for (let count = 0; count < 10_000; count++) stream.put('x');
    audit();
    await rounds(15);
    expect([findings.reduce((sum, { what }) => sum + Number(what.count), 0), stream.refills]).toEqual([10_000, []]);
  });

  it('is none when the record has begun another epoch, which another process writes', async () => {
    await appendAndPublish(1);
    stream.messages.clear();
    const asked: string[] = [];
    stream.onState = () => asked.push('state');
    const heads: (() => void)[] = [];
    const head: Store['head'] = async () => {
      for (const resolve of heads.splice(0)) resolve();
      return { ...(await issuer.store.head()), epoch: 'another' };
    };
    audit({ store: { ...issuer.store, head } });
    for (let round = 0; round < 3; round++) await new Promise<void>((resolve) => heads.push(resolve));
    expect([asked, stream.refills]).toEqual([[], []]);
  });
});
