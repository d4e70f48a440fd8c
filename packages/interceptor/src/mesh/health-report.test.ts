import { credentials, makeClientConstructor, Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation, service as healthService } from 'grpc-health-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type TestMesh, testMesh } from '../testing/mesh.ts';
import type { HealthReportOptions } from './health-report.ts';
import type { Mesh } from './mesh.ts';

let test: TestMesh;
let closing: (() => void)[];

beforeEach(() => {
  test = testMesh();
  closing = [];
});
afterEach(async () => {
  for (const close of closing) close();
  await test.close();
});

/** Serves the health of a mesh; what a load balancer that watches it is told, one by one. */
async function watch(mesh: Mesh, options?: HealthReportOptions) {
  const health = new HealthImplementation({ '': 'SERVING' });
  const end = mesh.reportHealth(health, options);
  const server = new Server();
  health.addToServer(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const HealthClient = makeClientConstructor(healthService, 'Health');
  const client = new HealthClient(`127.0.0.1:${port}`, credentials.createInsecure());
  // the description of the service carries no types: this is what it says
  const { watch } = client as unknown as { watch(request: object): AsyncIterable<{ status: string }> & { cancel(): void } };
  const stream = watch.call(client, { service: '' });
  const statuses = stream[Symbol.asyncIterator]();
  closing.push(() => {
    stream.cancel();
    statuses.next().catch(() => {});
    client.close();
    server.forceShutdown();
  });
  return { end, next: async () => (await statuses.next()).value?.status };
}

it('is NOT_SERVING until the mesh is ready', async () => {
  test.feedDown();
  const mesh = await test.meshFor('spiffe://mesh.test/orders');
  const health = await watch(mesh);
  expect(await health.next()).toBe('NOT_SERVING');
  await test.feedUp();
  expect(await health.next()).toBe('SERVING');
  expect(mesh.feed.freshness().state).toBe('fresh');
});

it('stays SERVING while revocations are older than standard methods take, unless it is told otherwise', async () => {
  const mesh = await test.meshFor('spiffe://mesh.test/orders', { maxBlindMs: 60_000 });
  const plain: string[] = [];
  const end = mesh.reportHealth({ setStatus: (_, status) => void plain.push(status) });
  const strict = await watch(mesh, { unlessBlind: true });
  expect(await strict.next()).toBe('SERVING');
  test.feedDown();
  await test.advance(59_000);
  expect(mesh.feed.freshness().state).toBe('stale');
  await test.advance(2_000);
  expect(await strict.next()).toBe('NOT_SERVING');
  await test.feedUp();
  expect(await strict.next()).toBe('SERVING');
  end();
  expect(plain).toEqual(['NOT_SERVING', 'SERVING', 'NOT_SERVING']);
});

it('is NOT_SERVING from its end on, and once the mesh is closed', async () => {
  const mesh = await test.meshFor('spiffe://mesh.test/orders');
  const [ended, closed] = [await watch(mesh), await watch(mesh)];
  expect([await ended.next(), await closed.next()]).toEqual(['SERVING', 'SERVING']);
  ended.end();
  expect(await ended.next()).toBe('NOT_SERVING');
  await mesh.close();
  expect(await closed.next()).toBe('NOT_SERVING');
});

it('sets the services that it is told', async () => {
  const mesh = await test.meshFor('spiffe://mesh.test/orders');
  const set: string[] = [];
  const end = mesh.reportHealth({ setStatus: (service, status) => void set.push(`${service} ${status}`) }, { services: ['a', 'b'] });
  await mesh.ready();
  end();
  expect(set).toEqual(['a NOT_SERVING', 'b NOT_SERVING', 'a SERVING', 'b SERVING', 'a NOT_SERVING', 'b NOT_SERVING']);
});
