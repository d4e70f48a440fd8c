import { randomUUID } from 'node:crypto';
import { type CallOptions, status } from '@grpc/grpc-js';
import { exportJwk, importJwks } from '@tokenmesh/token';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from './checkpoint.ts';
import { PositionGoneError } from './feed-ports.ts';
import { grpcRecord, grpcTransport } from './grpc.ts';
import { createRevocationSet } from './revocation-set.ts';
import { openSnapshot } from './snapshot.ts';
import { startGrpcServer } from './test-servers.ts';
import { createMemoryRecord, type IssuerListener, type MemoryRecord, testFeedTransport } from './testing.ts';

describe('the gRPC stream as a FeedTransport', () => {
  testFeedTransport({
    test,
    async open(record) {
      const server = await startGrpcServer(record);
      return {
        transport: grpcTransport(server.client),
        interrupt: async () => server.kill(),
        restore: server.start,
        close: async () => server.close(),
      };
    },
  });
});

async function withServer(
  run: (record: MemoryRecord, server: Awaited<ReturnType<typeof startGrpcServer>>) => Promise<void>,
): Promise<void> {
  const record = createMemoryRecord();
  const server = await startGrpcServer(record);
  try {
    await run(record, server);
  } finally {
    server.close();
  }
}

const target = (value: string) => ({ kind: 'token', value, exp: 4_102_444_800 }) as const;

test('the record answers over gRPC what it answers in memory', () =>
  withServer(async (record, { client }) => {
    const expected = { issuer: record.issuer, mesh: record.mesh };
    for (const value of ['a', 'b', 'c']) record.append([target(value)]);
    const remote = grpcRecord(client);
    const keys = importJwks((await remote.keys()).keys);
    expect([...keys.keys()]).toEqual([exportJwk(record.key).kid]);
    expect(await remote.listEvents({ epoch: 'e1', n: 2 })).toEqual(await record.listEvents({ epoch: 'e1', n: 2 }));
    const nonce = randomUUID();
    expect(openCheckpoint(await remote.checkpoint(nonce), keys, expected)).toMatchObject({ nonce, n: 3 });
    const { head, entries } = await openSnapshot(await remote.snapshot(), keys, expected);
    expect([head.n, entries.size]).toEqual([3, 3]);
    const set = createRevocationSet();
    set.load(entries);
    for (const jti of ['a', 'b', 'c']) expect(set.find({ kid: 'k', claims: { sub: 's', aud: 'a', iat: 0, jti } })?.n).toBeGreaterThan(0);
  }));

test('a snapshot of many chunks arrives whole', () =>
  withServer(async (record, { client }) => {
    for (let n = 0; n < 40; n++) record.append(Array.from({ length: 500 }, (_, index) => target(`jti-${n}-${index}`.padEnd(22, '_'))));
    const snapshot = await grpcRecord(client).snapshot();
    const chunks = await Array.fromAsync(snapshot.chunks);
    expect(chunks.length).toBeGreaterThan(1);
    const keys = importJwks([exportJwk(record.key)]);
    const { entries } = await openSnapshot({ head: snapshot.head, chunks }, keys, { issuer: record.issuer, mesh: record.mesh });
    expect(entries.size).toBe(20_000);
  }));

test('events that are not kept are told apart from an outage', () =>
  withServer(async (record, { client }) => {
    const remote = grpcRecord(client);
    for (const value of ['a', 'b', 'c']) record.append([target(value)]);
    record.compact(2);
    expect((await remote.listEvents({ epoch: 'e1', n: 3 })).events).toHaveLength(1);
    await expect(remote.listEvents({ epoch: 'e1', n: 2 })).rejects.toBeInstanceOf(PositionGoneError);
    await expect(remote.listEvents({ epoch: 'e0', n: 3 })).rejects.toBeInstanceOf(PositionGoneError);
    record.outage = new Error('down');
    for (const question of [remote.listEvents({ epoch: 'e1', n: 3 }), remote.keys(), remote.snapshot(), remote.checkpoint('n')]) {
      await expect(question).rejects.toMatchObject({ code: status.UNAVAILABLE });
    }
  }));

test('a question is cancelled by its signal', () =>
  withServer(async (_record, server) => {
    server.kill();
    const remote = grpcRecord(server.client);
    const aborted = AbortSignal.abort(new Error('closed'));
    for (const question of [() => remote.keys(aborted), () => remote.snapshot(aborted)]) await expect(question()).rejects.toThrow('closed');
  }));

test('a stream begins after the position that was applied', () =>
  withServer(async (record, { client }) => {
    const sent = ['a', 'b', 'c'].map((value) => record.append([target(value)]).compact);
    const received: string[] = [];
    const arrived = Promise.withResolvers<void>();
    const subscription = grpcTransport(client).subscribe(() => ({ epoch: 'e1', n: 1 }), {
      onEvent: (compact) => {
        received.push(compact);
        if (received.length === 2) arrived.resolve();
      },
      onCheckpoint: () => {},
      onUp: () => {},
      onDown: (error) => arrived.reject(error),
    });
    await arrived.promise;
    await subscription.close();
    expect(received).toEqual(sent.slice(1));
  }));

test('a stream on which nothing comes is given up and opened anew', () =>
  withServer(async (record, { client }) => {
    const open = new Set<IssuerListener>();
    const subscribe = record.subscribe.bind(record);
    record.subscribe = (listener) => {
      open.add(listener);
      const end = subscribe(listener);
      return () => {
        open.delete(listener);
        end();
      };
    };
    const news: string[] = [];
    const again = Promise.withResolvers<void>();
    const subscription = grpcTransport(client, { silenceMs: 50 }).subscribe(() => ({ epoch: '', n: 0 }), {
      onEvent: () => {},
      onCheckpoint: () => {},
      onUp: () => {
        news.push('up');
        if (news.length > 2) again.resolve();
      },
      onDown: (error) => news.push(String(error)),
    });
    await again.promise;
    await subscription.close();
    await expect.poll(() => open.size).toBe(0);
    expect(news.slice(0, 3)).toEqual(['up', 'Error: Nothing came on the stream for 50 ms', 'up']);
  }));

test('a report goes out on the open stream, and without one on a stream of its own', async () => {
  const record = createMemoryRecord();
  let arrived = Promise.withResolvers<void>();
  const server = await startGrpcServer(record, () => arrived.resolve());
  let streams = 0;
  const sync = (options?: CallOptions) => {
    streams++;
    return server.client.Sync(options);
  };
  const transport = grpcTransport(Object.assign(Object.create(server.client), { Sync: sync }));
  const report = { instance: 'i1', fresh_at_ms: 1, n: 2, kids: ['k1'], version: '0.1.0', path: 'nats' };
  transport.report(report);
  await arrived.promise;
  arrived = Promise.withResolvers();
  const up = Promise.withResolvers<void>();
  const handlers = { onEvent: () => {}, onCheckpoint: () => {}, onUp: () => up.resolve(), onDown: () => {} };
  const subscription = transport.subscribe(() => ({ epoch: '', n: 0 }), handlers);
  await up.promise;
  transport.report({ ...report, path: 'grpc' });
  await arrived.promise;
  expect(server.reports).toMatchObject([report, { ...report, path: 'grpc' }]);
  expect(streams).toBe(2);
  await subscription.close();
  server.close();
});

test('what is served goes with the first report on a stream and when it is other than before, and seldom without a stream', async () => {
  const record = createMemoryRecord();
  const heard: (string | undefined)[] = [];
  let arrived = Promise.withResolvers<void>();
  const server = await startGrpcServer(record, () => arrived.resolve());
  const transport = grpcTransport(server.client);
  const servedBy = (method: string) => ({ methods: [{ method, rule: null }] });
  const send = async (served: ReturnType<typeof servedBy>) => {
    arrived = Promise.withResolvers();
    transport.report({ instance: 'i1', fresh_at_ms: 1, n: 2, kids: [], version: '1', path: 'grpc', served });
    await arrived.promise;
    heard.push(server.reports.at(-1)?.served?.methods[0]?.method);
  };
  const [a, b] = [servedBy('/a'), servedBy('/b')];
  for (let report = 0; report < 12; report++) await send(a);
  await send(b);
  expect(heard.splice(0)).toEqual(['/a', ...Array(10).fill(undefined), '/a', '/b']);
  const up = Promise.withResolvers<void>();
  const handlers = { onEvent: () => {}, onCheckpoint: () => {}, onUp: () => up.resolve(), onDown: () => {} };
  const subscription = transport.subscribe(() => ({ epoch: '', n: 0 }), handlers);
  await up.promise;
  for (const served of [b, b, a, a]) await send(served);
  expect(heard).toEqual(['/b', undefined, '/a', undefined]);
  await subscription.close();
  server.close();
});
