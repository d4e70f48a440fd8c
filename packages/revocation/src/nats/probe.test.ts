import { connect, nkeyAuthenticator } from 'nats';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hasNatsServer, startNatsServer, type TestNatsServer } from '../test-servers.ts';
import { createNkey } from './nkey.ts';
import { NatsRefusedError, openNatsProbe } from './probe.ts';
import { natsPublisher } from './publisher.ts';
import { createRevocationStream, revocationStreamName, revocationSubjects } from './stream.ts';

const mesh = 'shop.test';
const { events, checkpoints } = revocationSubjects(mesh);
const stream = revocationStreamName(mesh);
const available = hasNatsServer();

describe.skipIf(!available)('a probe of NATS', () => {
  const [all, some] = [createNkey(), createNkey()];
  let server: TestNatsServer;
  const as = (user?: { readonly seed: string }) => ({ servers: server.url, mesh, ...(user && { nkeySeed: user.seed }) });
  const probeAs = async (user: { readonly seed: string }) => {
    const probe = await openNatsProbe(as(user));
    onTestFinished(() => probe.close());
    return probe;
  };

  beforeAll(async () => {
    server = await startNatsServer(`authorization { users = [
      { nkey: ${all.publicKey} }
      { nkey: ${some.publicKey}, permissions: { publish: ["a.*"], subscribe: ["${checkpoints}", "b.>", "c.> q"] } }
    ] }`);
    await createRevocationStream(as(all));
  });
  afterAll(() => server.close());

  test('names the subjects that its user may not publish to, in their order', async () => {
    const probe = await probeAs(some);
    expect(await probe.findDeniedPublish(['b', 'a.b', 'a.b.c', events])).toEqual(['b', 'a.b.c', events]);
    expect(await probe.findDeniedPublish(['a.b'])).toEqual([]);
  });

  test('names the subjects that its user may not subscribe to, alone and in a queue group', async () => {
    const probe = await probeAs(some);
    expect(await probe.findDeniedSubscribe(['>', 'b.c', 'c.d', events])).toEqual(['>', 'c.d', events]);
    expect(await probe.findDeniedSubscribe(['c.d', 'b.c'], 'q')).toEqual([]);
    expect(await probe.findDeniedSubscribe(['c.d', 'b.c'], 'r')).toEqual(['c.d']);
  });

  test('changes nothing where its user may do everything', async () => {
    const publisher = await natsPublisher(as(all));
    onTestFinished(() => publisher.close());
    await publisher.publishEvent({ epoch: 'e1', n: 1, compact: 'an event' });
    const connection = await connect({ servers: server.url, authenticator: nkeyAuthenticator(Buffer.from(all.seed)) });
    onTestFinished(() => connection.close());
    const { streams } = await connection.jetstreamManager();
    const streamNow = async () => {
      const { ts: _, ...info } = await streams.info(stream);
      return info;
    };
    const before = await streamNow();

    const probe = await probeAs(all);
    const api = ['PURGE', 'DELETE', 'UPDATE', 'MSG.DELETE', 'RESTORE', 'SNAPSHOT'].map((what) => `$JS.API.STREAM.${what}.${stream}`);
    expect(await probe.findDeniedPublish([...api, `$JS.API.CONSUMER.CREATE.${stream}`, events])).toEqual([]);
    expect(await probe.mayPublishEvent('an event')).toBe(true);
    expect(await streamNow()).toEqual(before);
    expect(await probe.lastEvent()).toBe('an event');
  });

  test('hears the next checkpoint, or says that none came', async () => {
    const probe = await probeAs(some);
    expect(await probe.nextCheckpoint(1)).toBeUndefined();
    const publisher = await natsPublisher(as(all));
    onTestFinished(() => publisher.close());
    const heard = probe.nextCheckpoint(20_000);
    // the server has the subscription before it answers this
    await probe.findDeniedPublish([]);
    publisher.publishCheckpoint('a checkpoint');
    expect(await heard).toBe('a checkpoint');
  });

  test('says that its user may not look at the stream, and not that there is none', async () => {
    const probe = await probeAs(some);
    await expect(probe.checkStream()).rejects.toThrow(/permission/i);
    await expect(probe.lastEvent()).rejects.toThrow(/permission/i);
    expect(await probe.mayPublishEvent('an event')).toBe(false);
  });

  test('is refused when its user is unknown or nobody, and fails otherwise when nobody answers', async () => {
    await expect(openNatsProbe(as(createNkey()))).rejects.toThrow(NatsRefusedError);
    await expect(openNatsProbe(as())).rejects.toThrow(NatsRefusedError);
    const nobody = openNatsProbe({ servers: '127.0.0.1:1', mesh });
    await expect(nobody).rejects.toThrow('NATS is not reachable');
    await expect(nobody).rejects.not.toThrow(NatsRefusedError);
  });
});
