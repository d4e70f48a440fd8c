import { connect } from 'nats';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createRevocationFeed } from './feed.ts';
import type { FeedStatus } from './feed-reports.ts';
import { grpcRecord, grpcTransport } from './grpc.ts';
import { createRevocationStream, natsPublisher, natsTransport, revocationStreamName } from './nats.ts';
import type { RevocationFeed } from './revocation-feed.ts';
import { hasNatsServer, startGrpcServer, startNatsServer } from './test-servers.ts';
import { createMemoryRecord, publishFrom } from './testing.ts';

const staleAfterMs = 1_000;
const target = (value: string) => ({ kind: 'token', value, exp: 4_102_444_800 }) as const;

/** An issuer with a NATS server and a gRPC server, which beats every 50 ms, and a feed that follows both. Everything ends with the test. */
async function startMesh() {
  const record = createMemoryRecord({ staleAfterMs });
  const { mesh, issuer } = record;
  const nats = await startNatsServer();
  onTestFinished(nats.close);
  const servers = nats.url;
  await createRevocationStream({ servers, mesh });
  const publisher = await natsPublisher({ servers, mesh });
  onTestFinished(() => publisher.close());
  onTestFinished(publishFrom(record, publisher));
  const grpc = await startGrpcServer(record);
  onTestFinished(grpc.close);
  const beats = setInterval(() => record.beat(), 50);
  onTestFinished(() => clearInterval(beats));

  const statuses: FeedStatus[] = [];
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const feed = createRevocationFeed({
    record: grpcRecord(grpc.client),
    courier: natsTransport({ servers, mesh }),
    fallback: grpcTransport(grpc.client),
    issuer,
    mesh,
    staleAfterMs,
    report: (status) => {
      statuses.push(status);
      change();
    },
  });
  onTestFinished(() => feed.close());
  feed.onApplied(change);
  const until = async (condition: () => boolean) => {
    while (!condition()) await changed.promise;
  };
  const paths = () => statuses.flatMap((status) => (status.type === 'path' ? [`${status.path} ${status.event}`] : []));
  const isFresh = () => expect.poll(() => feed.freshness(), { timeout: 10_000 });
  await feed.ready();
  return { record, mesh, servers, nats, grpc, publisher, feed, statuses, until, paths, isFresh };
}

function holds(feed: RevocationFeed, jti: string): boolean {
  return feed.set.find({ kid: 'k', claims: { sub: 's', aud: 'a', iat: 0, jti } }) !== undefined;
}

describe.skipIf(!hasNatsServer())('a feed over a real NATS server and a real gRPC server', () => {
  test('falls over to gRPC when NATS is killed, misses no event, never is stale, and goes back to NATS', async () => {
    const { record, nats, feed, statuses, until, paths, isFresh } = await startMesh();
    record.append([target('over nats')]);
    await until(() => feed.set.size === 1);
    expect(feed.freshness()).toMatchObject({ path: 'nats' });

    await nats.kill();
    for (let index = 0; index < 20; index++) record.append([target(`during the fall ${index}`)]);
    await until(() => paths().includes('grpc up'));
    record.append([target('over grpc')]);
    await until(() => feed.set.size === 22);
    await isFresh().toMatchObject({ state: 'fresh', n: 22, path: 'grpc' });

    await nats.start();
    await until(() => paths().includes('nats chosen'));
    await isFresh().toMatchObject({ state: 'fresh', path: 'nats' });
    record.append([target('over nats again')]);
    await until(() => feed.set.size === 23);
    expect(statuses.filter((status) => status.type === 'freshness').map(({ freshness }) => freshness.state)).toEqual(['fresh']);
    expect(statuses.filter(({ type }) => type === 'alarm' || type === 'rejected')).toEqual([]);
  });

  test('a stream that is wiped and created anew, with its sequence back at one, hides no event', async () => {
    const { record, mesh, servers, nats, feed, until, paths, isFresh } = await startMesh();
    for (let index = 0; index < 10; index++) record.append([target(`before ${index}`)]);
    await until(() => feed.set.size === 10);

    await nats.kill();
    record.append([target('lost to the courier')]);
    await nats.wipe();
    await nats.start();
    await createRevocationStream({ servers, mesh });
    await until(() => paths().includes('nats chosen'));
    for (let index = 0; index < 5; index++) record.append([target(`after ${index}`)]);
    await until(() => feed.set.size === 16);

    const connection = await connect({ servers });
    const { state } = await (await connection.jetstreamManager()).streams.info(revocationStreamName(mesh));
    await connection.close();
    expect(state.last_seq).toBeLessThan(10);
    expect(holds(feed, 'lost to the courier')).toBe(true);
    await isFresh().toMatchObject({ state: 'fresh', n: 16 });
  });

  test('a verifier that comes late gets from the record what NATS carried before', async () => {
    const { record, mesh, servers, grpc, feed, until } = await startMesh();
    for (let index = 0; index < 3; index++) record.append([target(`early ${index}`)]);
    await until(() => feed.set.size === 3);
    const late = createRevocationFeed({
      record: grpcRecord(grpc.client),
      courier: natsTransport({ servers, mesh }),
      issuer: record.issuer,
      mesh,
    });
    onTestFinished(() => late.close());
    await late.ready();
    for (let index = 0; index < 3; index++) expect(holds(late, `early ${index}`)).toBe(true);
  });

  test('with token-exchange away, NATS alone keeps it fresh; with both away it is stale within S', async () => {
    const { record, nats, grpc, feed, until } = await startMesh();
    grpc.kill();
    record.append([target('over nats')]);
    await until(() => feed.set.size === 1);
    const before = feed.freshness();
    const since = before.state === 'empty' ? 0 : before.freshAtMs;
    await expect
      .poll(
        () => {
          const now = feed.freshness();
          return now.state === 'fresh' ? now.freshAtMs - since : 0;
        },
        { timeout: 10_000 },
      )
      .toBeGreaterThan(staleAfterMs);
    await nats.kill();
    await until(() => feed.freshness().state === 'stale');
    expect(feed.freshness()).toMatchObject({ n: 1 });
  });
});
