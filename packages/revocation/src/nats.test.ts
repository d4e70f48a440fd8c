import { connect, DiscardPolicy, nanos, nkeys, RetentionPolicy, StorageType } from 'nats';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { FeedPublisher } from './feed-ports.ts';
import { createRevocationStream, natsPublisher, natsTransport, revocationStreamName, revocationSubjects } from './nats.ts';
import { hasNatsServer, startNatsServer, type TestNatsServer } from './test-servers.ts';
import { createMemoryRecord, publishFrom, testFeedTransport } from './testing.ts';

const mesh = 'shop.test';
const available = hasNatsServer();
if (!available) console.warn('No nats-server: tests over NATS are skipped (TOKENMESH_NATS_SERVER, or nats-server on the PATH).');

describe.skipIf(!available)('the NATS courier as a FeedTransport', () => {
  testFeedTransport({
    test,
    async open(record) {
      const server = await startNatsServer();
      const servers = server.url;
      await createRevocationStream({ servers, mesh });
      let publisher = await natsPublisher({ servers, mesh });
      let end = publishFrom(record, publisher);
      return {
        transport: natsTransport({ servers, mesh }),
        async interrupt() {
          end();
          await publisher.close();
          await server.kill();
        },
        async restore() {
          await server.start();
          publisher = await natsPublisher({ servers, mesh });
          end = publishFrom(record, publisher);
        },
        async close() {
          end();
          await publisher.close();
          await server.close();
        },
      };
    },
  });
});

/** Publishes events of another log until the publisher is connected again. */
async function connected(publisher: FeedPublisher): Promise<void> {
  await expect
    .poll(
      () =>
        publisher.publishEvent({ epoch: 'probe', n: 1, compact: '' }).then(
          () => true,
          () => false,
        ),
      { timeout: 10_000 },
    )
    .toBe(true);
}

describe.skipIf(!available)('a NATS server', () => {
  let server: TestNatsServer;
  beforeAll(async () => {
    server = await startNatsServer();
  });
  afterAll(() => server.close());

  /** Each test has a mesh, hence a stream, of its own. */
  async function withStream(mesh: string, run: (streams: Awaited<ReturnType<typeof manager>>['streams'], name: string) => Promise<void>) {
    const { connection, streams } = await manager();
    try {
      await createRevocationStream({ servers: server.url, mesh });
      await run(streams, revocationStreamName(mesh));
    } finally {
      await connection.close();
    }
  }

  async function manager() {
    const connection = await connect({ servers: server.url });
    return { connection, streams: (await connection.jetstreamManager()).streams };
  }

  test('gets a stream that keeps events in files for an hour, drops the oldest and knows duplicates for ten minutes', () =>
    withStream('create.test', async (streams, name) => {
      expect((await streams.info(name)).config).toMatchObject({
        name: 'tokenmesh_create_test_revocation',
        subjects: ['tokenmesh.create_test.revocation.events'],
        storage: 'file',
        retention: 'limits',
        discard: 'old',
        max_age: nanos(3_600_000),
        duplicate_window: nanos(600_000),
        deny_delete: true,
        num_replicas: 1,
      });
    }));

  test('has its stream brought to the configuration when it differs, and left alone when it does not', () =>
    withStream('again.test', async (streams, name) => {
      await streams.update(name, { discard: DiscardPolicy.New });
      await createRevocationStream({ servers: server.url, mesh: 'again.test' });
      await createRevocationStream({ servers: server.url, mesh: 'again.test' });
      expect((await streams.info(name)).config.discard).toBe('old');
    }));

  test('keeps an event that is published twice once', () =>
    withStream('twice.test', async (streams, name) => {
      const publisher = await natsPublisher({ servers: server.url, mesh: 'twice.test' });
      const event = { epoch: 'e1', n: 7, compact: 'compact' };
      await publisher.publishEvent(event);
      await publisher.publishEvent(event);
      await publisher.publishEvent({ ...event, epoch: 'e2' });
      expect((await streams.info(name)).state.messages).toBe(2);
      const message = await streams.getMessage(name, { seq: 1 });
      expect(message.header.get('Nats-Msg-Id')).toBe('e1:7');
      expect(Buffer.from(message.data).toString()).toBe('compact');
      await publisher.close();
    }));

  test.each([
    ['storage', { storage: StorageType.Memory }, 'storage must be file'],
    ['retention', { retention: RetentionPolicy.Workqueue }, 'retention must be limits'],
    ['discard', { discard: DiscardPolicy.New }, 'discard must be old'],
    ['duplicates', { duplicate_window: nanos(599_999) }, 'duplicate_window must be at least 600 s'],
    ['age', { max_age: nanos(3_599_999) }, 'max_age must be at least 3600 s'],
    ['size', { max_msg_size: 512 * 1024 - 1 }, 'max_msg_size must be at least 512 KiB'],
  ])('refuses a publisher when the %s of the stream is not fit, and says so', async (what, change, fault) => {
    const mesh = `${what}.test`;
    const { connection, streams } = await manager();
    const name = revocationStreamName(mesh);
    const fit = { storage: StorageType.File, retention: RetentionPolicy.Limits, discard: DiscardPolicy.Old };
    await streams.add({
      name,
      subjects: [revocationSubjects(mesh).events],
      duplicate_window: nanos(600_000),
      max_age: nanos(3_600_000),
      ...fit,
      ...change,
    });
    const problems: string[] = [];
    const publisher = natsPublisher({ servers: server.url, mesh, report: ({ message }) => problems.push(message) });
    await expect(publisher).rejects.toThrow(`The stream ${name} is not fit: ${fault}`);
    expect(problems.some((problem) => problem.includes(fault))).toBe(true);
    await connection.close();
  });

  test('refuses a publisher whose stream does not exist', async () => {
    await expect(natsPublisher({ servers: server.url, mesh: 'none.test' })).rejects.toThrow(
      'The stream tokenmesh_none_test_revocation does not exist: create it first',
    );
  });

  test('is reported when its version has known advisories', () =>
    withStream('version.test', async () => {
      const problems: string[] = [];
      const publisher = await natsPublisher({ servers: server.url, mesh: 'version.test', report: ({ message }) => problems.push(message) });
      const { connection } = await manager();
      const old = /^2\.([0-9]|10)\./.test(connection.info?.version ?? '');
      await connection.close();
      expect(problems.some((problem) => problem.includes('known advisories'))).toBe(old);
      await publisher.close();
    }));

  test('is looked at again: a stream that was taken away later is reported', () =>
    withStream('later.test', async (streams, name) => {
      const reported = Promise.withResolvers<string>();
      const report = ({ message }: Error) => message.includes('does not exist') && reported.resolve(message);
      const publisher = await natsPublisher({ servers: server.url, mesh: 'later.test', report, checkIntervalMs: 20 });
      await streams.delete(name);
      expect(await reported.promise).toBe('The stream tokenmesh_later_test_revocation does not exist: create it first');
      await expect(publisher.publishEvent({ epoch: 'e1', n: 1, compact: 'c' })).rejects.toThrow();
      await publisher.close();
    }));
});

describe.skipIf(!available)('without a NATS server', () => {
  test('a publisher starts, refuses events at once, drops checkpoints, and works when the server comes', async () => {
    const server = await startNatsServer();
    onTestFinished(server.close);
    await createRevocationStream({ servers: server.url, mesh });
    await server.kill();
    const problems: string[] = [];
    const publisher = await natsPublisher({ servers: server.url, mesh, report: ({ message }) => problems.push(message) });
    expect(problems).toContain('NATS is not reachable');
    await expect(publisher.publishEvent({ epoch: 'e1', n: 1, compact: 'c' })).rejects.toThrow('NATS is not reachable');
    publisher.publishCheckpoint('old');
    await server.start();
    await connected(publisher);
    await publisher.close();
  });

  test('a checkpoint made while the server is away is not delivered when it is back', async () => {
    const server = await startNatsServer();
    onTestFinished(server.close);
    const servers = server.url;
    await createRevocationStream({ servers, mesh });
    const publisher = await natsPublisher({ servers, mesh });
    const received: string[] = [];
    let arrived = Promise.withResolvers<void>();
    let [up, down] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const subscription = natsTransport({ servers, mesh }).subscribe(() => ({ epoch: '', n: 0 }), {
      onEvent: () => {},
      onCheckpoint: (compact) => {
        received.push(compact);
        arrived.resolve();
      },
      onUp: () => up.resolve(),
      onDown: () => down.resolve(),
    });
    await up.promise;
    publisher.publishCheckpoint('before');
    await arrived.promise;
    [up, down, arrived] = [Promise.withResolvers(), Promise.withResolvers(), Promise.withResolvers()];
    await server.kill();
    await down.promise;
    await expect
      .poll(() => publisher.publishEvent({ epoch: 'e1', n: 1, compact: 'c' }).catch(({ message }) => message), { timeout: 10_000 })
      .toBe('NATS is not reachable');
    publisher.publishCheckpoint('meanwhile');
    await server.start();
    await up.promise;
    await connected(publisher);
    publisher.publishCheckpoint('after');
    await arrived.promise;
    expect(received).toEqual(['before', 'after']);
    await subscription.close();
    await publisher.close();
  });
});

describe.skipIf(!available)('T-51 a verifier with an nkey of its own', () => {
  test('may subscribe to the feed of its mesh, and neither publish nor manage streams', async () => {
    const [issuer, verifier] = [nkeys.createUser(), nkeys.createUser()];
    const { events, checkpoints } = revocationSubjects(mesh);
    const server = await startNatsServer(`authorization { users = [
      { nkey: ${issuer.getPublicKey()} }
      { nkey: ${verifier.getPublicKey()}, permissions: { publish: { deny: ">" }, subscribe: { allow: ["${events}", "${checkpoints}"] } } }
    ] }`);
    onTestFinished(server.close);
    const as = (user: typeof issuer) => ({ servers: server.url, mesh, nkeySeed: new TextDecoder().decode(user.getSeed()) });
    await createRevocationStream(as(issuer));
    const publisher = await natsPublisher(as(issuer));
    const record = createMemoryRecord();
    const [up, arrived] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
    const handlers = { onEvent: () => {}, onCheckpoint: arrived.resolve, onUp: () => up.resolve(), onDown: up.reject };
    const subscription = natsTransport(as(verifier)).subscribe(() => ({ epoch: '', n: 0 }), handlers);
    await up.promise;
    const checkpoint = record.beat();
    publisher.publishCheckpoint(checkpoint);
    expect(await arrived.promise).toBe(checkpoint);
    await expect(createRevocationStream(as(verifier))).rejects.toThrow();
    await expect(natsPublisher(as(verifier))).rejects.toThrow();
    await subscription.close();
    await publisher.close();
  });

  test('that may not subscribe is told that the path is down, and not that it is up', async () => {
    const verifier = nkeys.createUser();
    const server = await startNatsServer(`authorization { users = [
      { nkey: ${verifier.getPublicKey()}, permissions: { subscribe: { deny: "tokenmesh.>" } } }
    ] }`);
    onTestFinished(server.close);
    const down = Promise.withResolvers<void>();
    let ups = 0;
    const subscription = natsTransport({ servers: server.url, mesh, nkeySeed: new TextDecoder().decode(verifier.getSeed()) }).subscribe(
      () => ({ epoch: '', n: 0 }),
      { onEvent: () => {}, onCheckpoint: () => {}, onUp: () => ups++, onDown: () => down.resolve() },
    );
    await down.promise;
    expect(ups).toBe(0);
    await subscription.close();
  });
});
