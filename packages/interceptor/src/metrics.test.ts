import { afterEach, beforeEach, expect, it } from 'vitest';
import { createIssuerMetrics, observeIssuers } from './metrics.ts';
import { startTestMetrics, type TestMetrics } from './test-metrics.ts';
import { testMesh } from './testing/mesh.ts';

let shown: TestMetrics;

beforeEach(() => {
  shown = startTestMetrics();
});

afterEach(() => shown.close());

const issuer = 'https://token-exchange.mesh.test';
const self = 'spiffe://mesh.test/orders';
const ofIssuer = { 'tokenmesh.issuer': issuer };

/** The values of a gauge of the one mesh by the attribute that tells them apart. */
async function gauge(name: string): Promise<Readonly<Record<string, number>>> {
  const series = await shown.collect(name);
  return Object.fromEntries(
    series.map(({ attributes: { 'tokenmesh.issuer': of, 'tokenmesh.workload': workload, ...others }, value }) => {
      expect([of, workload]).toEqual([issuer, self]);
      return [String(Object.values(others)[0] ?? 'value'), value];
    }),
  );
}

const [age, state, path] = ['tokenmesh.revocation.freshness.age', 'tokenmesh.revocation.freshness.state', 'tokenmesh.revocation.path'];

it('shows how old what is known of revocations is, in which state and over which path', async () => {
  const test = testMesh();
  await test.meshFor(self);
  expect(await gauge(state)).toEqual({ fresh: 1, stale: 0, empty: 0 });
  expect(await gauge(path)).toEqual({ memory: 1 });
  expect((await gauge(age)).value).toBeLessThan(5);
  test.feedDown();
  await test.advance(60_000);
  expect(await gauge(state)).toEqual({ fresh: 0, stale: 1, empty: 0 });
  expect(await gauge(path)).toEqual({ memory: 0, record: 1 });
  expect((await gauge(age)).value).toBeGreaterThanOrEqual(60);
  await test.feedUp();
  expect(await gauge(state)).toEqual({ fresh: 1, stale: 0, empty: 0 });
  expect(await gauge(path)).toEqual({ memory: 1, record: 0 });
  await test.close();
});

it('shows several meshes of one process side by side', async () => {
  const held = { [self]: 1, 'spiffe://mesh.test/payments': 2 };
  for (const [workload, count] of Object.entries(held)) {
    observeIssuers([{ issuer, workload, freshness: () => ({ state: 'empty' }), keysAgeMs: () => undefined, heldTokens: () => count }]);
  }
  const series = await shown.collect('tokenmesh.tokens.held');
  expect(Object.fromEntries(series.map(({ attributes, value }) => [attributes['tokenmesh.workload'], value]))).toEqual(held);
});

it('looks at nothing any more once the mesh is closed', async () => {
  let looks = 0;
  const freshness = () => {
    looks++;
    return { state: 'empty' as const };
  };
  const stop = observeIssuers([{ issuer, workload: self, freshness, keysAgeMs: () => undefined, heldTokens: () => 0 }]);
  await shown.collect(state);
  expect(looks).toBe(1);
  stop();
  await shown.collect(state);
  expect(looks).toBe(1);
});

it('shows how long nothing has been heard of revocations since the start', async () => {
  const test = testMesh();
  test.feedDown();
  await test.meshFor(self);
  const first = await gauge(age);
  expect(await gauge(state)).toEqual({ fresh: 0, stale: 0, empty: 1 });
  expect(await gauge(path)).toEqual({});
  await new Promise((resolve) => setImmediate(resolve));
  expect((await gauge(age)).value).toBeGreaterThan(first.value ?? Number.NaN);
  await test.close();
});

it('shows which position is applied, how old the keys are and how many tokens are held', async () => {
  const test = testMesh();
  const mesh = await test.meshFor(self);
  await mesh.ready();
  const held = (await gauge('tokenmesh.tokens.held')).value ?? Number.NaN;
  mesh.client('spiffe://mesh.test/payments');
  await mesh.ready();
  expect(await gauge('tokenmesh.tokens.held')).toEqual({ value: held + 1 });
  const obtained = { ...ofIssuer, 'tokenmesh.audience': 'spiffe://mesh.test/payments' };
  expect(await shown.valueOf('tokenmesh.tokens.changes', { ...obtained, 'tokenmesh.change': 'obtained' })).toBe(1);
  expect(await shown.valueOf('tokenmesh.exchange.client.duration', obtained)).toBe(1);

  const position = (await gauge('tokenmesh.revocation.position')).value ?? Number.NaN;
  await test.revoke({ kind: 'subject', value: 'spiffe://mesh.test/nobody' });
  expect(await gauge('tokenmesh.revocation.position')).toEqual({ value: position + 1 });
  expect(await shown.valueOf('tokenmesh.revocation.apply.delay', ofIssuer)).toBe(1);

  const keysAge = (await gauge('tokenmesh.jwks.age')).value ?? Number.NaN;
  expect(keysAge).toBeLessThan(60);
  await test.close();
});

it('tells exchanges that failed from the others by their reason', async () => {
  const { timeExchange } = createIssuerMetrics(issuer, Date.now);
  const request = { audience: 'spiffe://mesh.test/payments' };
  const failing = timeExchange(() => Promise.reject(new Error('not today')));
  await expect(failing(request)).rejects.toThrow('not today');
  const attributes = { ...ofIssuer, 'tokenmesh.audience': request.audience, 'error.type': '_OTHER' };
  expect(await shown.valueOf('tokenmesh.exchange.client.duration', attributes)).toBe(1);
});

it('puts nothing around an exchange while no SDK is registered', async () => {
  await shown.close();
  const exchange = () => Promise.reject(new Error('not called'));
  expect(createIssuerMetrics(issuer, Date.now).timeExchange(exchange)).toBe(exchange);
});
