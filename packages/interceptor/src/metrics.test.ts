import { type Attributes, type BatchObservableCallback, createNoopMeter, metrics } from '@opentelemetry/api';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { accessRules } from './incoming/access-rules.ts';
import { createCallVerifier } from './incoming/verify-call.ts';
import { createTestIssuer, gateway, orders } from './test-issuer.ts';
import { testMesh } from './testing/mesh.ts';

/** What was counted, and what is asked at each collection: the part of an SDK that these tests look at. */
let counted: { readonly name: string; readonly attributes: Attributes | undefined }[];
let callbacks: Set<BatchObservableCallback>;

beforeEach(() => {
  [counted, callbacks] = [[], new Set()];
  const meter = createNoopMeter();
  meter.createCounter = (name) => ({ add: (_, attributes) => void counted.push({ name, attributes }) });
  meter.createObservableGauge = (name) => Object.assign({ addCallback: () => {}, removeCallback: () => {} }, { name });
  meter.addBatchObservableCallback = (callback) => void callbacks.add(callback);
  meter.removeBatchObservableCallback = (callback) => void callbacks.delete(callback);
  metrics.setGlobalMeterProvider({ getMeter: () => meter });
});

afterEach(() => metrics.disable());

const issuer = 'https://token-exchange.mesh.test';

/** What one collection gets, by gauge: values by the attribute that tells them apart, besides the issuer. */
function collect(): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const gauges: Record<string, Record<string, number>> = {};
  for (const callback of callbacks) {
    callback({
      observe(gauge, value, { 'tokenmesh.issuer': of, ...others } = {}) {
        expect(of).toBe(issuer);
        const { name } = gauge as typeof gauge & { name: string }; // as it was made above
        gauges[name] = { ...gauges[name], [String(Object.values(others)[0] ?? 'value')]: value };
      },
    });
  }
  return gauges;
}

const [age, state, path] = ['tokenmesh.revocation.freshness.age', 'tokenmesh.revocation.freshness.state', 'tokenmesh.revocation.path'];

it('shows how old what is known of revocations is, in which state and over which path, until the mesh is closed', async () => {
  const test = testMesh();
  const mesh = await test.meshFor('spiffe://mesh.test/orders');
  const fresh = collect();
  expect(fresh).toMatchObject({ [state]: { fresh: 1, stale: 0, empty: 0 }, [path]: { memory: 1 } });
  expect(fresh[age]?.value).toBeLessThan(5);
  test.feedDown();
  await test.advance(60_000);
  const stale = collect();
  expect(stale).toMatchObject({ [state]: { fresh: 0, stale: 1, empty: 0 }, [path]: { memory: 0, record: 1 } });
  expect(stale[age]?.value).toBeGreaterThanOrEqual(60);
  await test.feedUp();
  expect(collect()).toMatchObject({ [state]: { fresh: 1, stale: 0, empty: 0 }, [path]: { memory: 1, record: 0 } });
  await mesh.close();
  expect(collect()).toEqual({});
  await test.close();
});

it('shows how long nothing has been heard of revocations since the start', async () => {
  const test = testMesh();
  test.feedDown();
  await test.meshFor('spiffe://mesh.test/orders');
  const first = collect();
  expect(first).toMatchObject({ [state]: { fresh: 0, stale: 0, empty: 1 } });
  expect(first[path]).toBeUndefined();
  await new Promise((resolve) => setImmediate(resolve));
  expect(collect()[age]?.value).toBeGreaterThan(first[age]?.value ?? Number.NaN);
  await test.close();
});

it('counts the calls that were decided while revocations were stale, by method and decision', async () => {
  const test = createTestIssuer();
  const verifier = createCallVerifier({
    ...{ audience: orders, issuer: test.issuer, keys: test.keys, revocation: test.revocation, now: test.now },
    introspect: async () => ({ active: true, claims: { jti: 'known' } }),
  });
  const service = { Get: { path: '/shop.v1.Orders/Get' }, Pay: { path: '/shop.v1.Orders/Pay' } };
  const rules = accessRules(service, { Get: { any_caller: true }, Pay: { any_caller: true, class: 'METHOD_CLASS_CRITICAL' } });
  const decide = async (method: 'Get' | 'Pay', jti: string) => {
    const rule = rules.get(service[method].path);
    if (!rule) throw new Error(`no rule of ${method}`);
    const presented = { scheme: 'Bearer', token: test.token({ jti, sub: gateway }) } as const;
    await verifier.verify(presented, rule, { certificateThumbprint: () => undefined, address: '10.0.0.1' });
  };
  await decide('Get', 'known');
  expect(counted).toEqual([]);

  test.freshness = { state: 'stale', freshAtMs: 0, ageMs: 6_000, epoch: 'e1', n: 0, path: 'memory' };
  await decide('Get', 'known');
  await decide('Pay', 'known');
  test.freshness = { state: 'empty' };
  await expect(decide('Get', 'known')).rejects.toMatchObject({ reason: 'REVOCATION_STALE' });
  expect(counted).toEqual([
    { name: 'tokenmesh.calls.stale', attributes: { 'rpc.method': 'shop.v1.Orders/Get', 'tokenmesh.decision': 'tolerated' } },
    { name: 'tokenmesh.calls.stale', attributes: { 'rpc.method': 'shop.v1.Orders/Pay', 'tokenmesh.decision': 'introspected' } },
    { name: 'tokenmesh.calls.stale', attributes: { 'rpc.method': 'shop.v1.Orders/Get', 'tokenmesh.decision': 'refused' } },
  ]);
});
