import type { Freshness } from '@tokenmesh/revocation';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createServerMetrics, createVerifierMetrics } from './call-metrics.ts';
import { accessRules } from './incoming/access-rules.ts';
import { createCallVerifier } from './incoming/verify-call.ts';
import { createTestIssuer, gateway, orders } from './test-issuer.ts';
import { startTestMetrics, type TestMetrics } from './test-metrics.ts';

let shown: TestMetrics;

beforeEach(() => {
  shown = startTestMetrics();
});

afterEach(() => shown.close());

const service = { Get: { path: '/shop.v1.Orders/Get' }, Pay: { path: '/shop.v1.Orders/Pay' } };
const rules = accessRules(service, { Get: { any_caller: true }, Pay: { any_caller: true, class: 'METHOD_CLASS_CRITICAL' } });

/** A verifier whose calls are made one at a time. */
function createTestVerifier() {
  const test = createTestIssuer();
  const verifier = createCallVerifier({
    ...{ audience: orders, issuer: test.issuer, keys: test.keys, revocation: test.revocation, now: test.now },
    introspect: async () => ({ active: true, claims: { jti: 'known' } }),
  });
  const decide = async (method: 'Get' | 'Pay', token: string) => {
    const rule = rules.get(service[method].path);
    if (!rule) throw new Error(`no rule of ${method}`);
    await verifier.verify({ scheme: 'Bearer', token }, rule, { certificateThumbprint: () => undefined, address: '10.0.0.1' });
  };
  return { test, decide };
}

// the counts are the process's: other tests have counted before
async function since<T>(read: () => Promise<number | undefined>, work: () => Promise<T>): Promise<number> {
  const before = (await read()) ?? 0;
  await work();
  return ((await read()) ?? 0) - before;
}

const decided = (outcome: string) => () => shown.valueOf('tokenmesh.calls.decided', { 'tokenmesh.outcome': outcome });
const refused = (reason: string) => () =>
  shown.valueOf('tokenmesh.calls.decided', { 'tokenmesh.outcome': 'refused', 'tokenmesh.reason': reason });

it('counts a token that is verified once and presented again, by all verifiers of the process together', async () => {
  const [one, other] = [createTestVerifier(), createTestVerifier()];
  const calls = async () => {
    const token = one.test.token();
    for (let call = 0; call < 3; call++) await one.decide('Get', token);
    await other.decide('Get', other.test.token());
  };
  expect(await since(decided('verified'), calls)).toBe(2);
  expect(await since(decided('cached'), calls)).toBe(2);
});

it('times verifications, and not the look-up of a token that was verified before', async () => {
  const { test, decide } = createTestVerifier();
  const token = test.token();
  for (let call = 0; call < 3; call++) await decide('Get', token);
  await expect(decide('Get', test.token({ aud: gateway }))).rejects.toMatchObject({ reason: 'AUDIENCE_MISMATCH' });
  expect(await shown.valueOf('tokenmesh.verification.duration', { 'tokenmesh.outcome': 'verified' })).toBe(1);
  expect(await shown.valueOf('tokenmesh.verification.duration', { 'tokenmesh.outcome': 'refused' })).toBe(1);
});

it('times a verification that has to wait', async () => {
  const { timed } = createVerifierMetrics(Date.now);
  expect(await timed(async () => 'admitted')).toBe('admitted');
  await expect(timed(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  expect(await shown.valueOf('tokenmesh.verification.duration', { 'tokenmesh.outcome': 'verified' })).toBe(1);
  expect(await shown.valueOf('tokenmesh.verification.duration', { 'tokenmesh.outcome': 'refused' })).toBe(1);
});

it('records the age of the token of one call in 64', async () => {
  const { test, decide } = createTestVerifier();
  const token = test.token();
  test.nowMs += 40_000;
  for (let call = 0; call < 640; call++) await decide('Get', token);
  expect(await shown.valueOf('tokenmesh.token.age', {})).toBe(10);
});

it('counts the calls that were decided while revocations were stale, by method and decision', async () => {
  const { test, decide } = createTestVerifier();
  const token = test.token({ jti: 'known', sub: gateway });
  await decide('Get', token);
  expect(await shown.collect('tokenmesh.calls.stale')).toEqual([]);

  const stale: Freshness = { state: 'stale', freshAtMs: 0, ageMs: 6_000, epoch: 'e1', n: 0, path: 'memory' };
  test.freshness = stale;
  await decide('Get', token);
  await decide('Pay', token);
  test.freshness = { state: 'empty' };
  await expect(decide('Get', token)).rejects.toMatchObject({ reason: 'REVOCATION_STALE' });
  const count = (method: string, decision: string) =>
    shown.valueOf('tokenmesh.calls.stale', { 'rpc.method': `shop.v1.Orders/${method}`, 'tokenmesh.stale.decision': decision });
  expect([await count('Get', 'tolerated'), await count('Pay', 'introspected'), await count('Get', 'refused')]).toEqual([1, 1, 1]);
});

it('counts refusals and ends of streams by reason, and shows every reason before the first', async () => {
  const metrics = createServerMetrics(() => 0);
  expect(await refused('TOKEN_REPLAYED')()).toBeUndefined();
  expect(await refused('PROOF_REPLAYED')()).toBeTypeOf('number');
  const refuse = async () => metrics.refused('PROOF_REPLAYED');
  expect(await since(refused('PROOF_REPLAYED'), refuse)).toBe(1);
  expect(await since(refused('_OTHER'), async () => metrics.refused(undefined))).toBe(1);
  const ended = () => shown.valueOf('tokenmesh.streams.ended', { 'tokenmesh.reason': 'TOKEN_REVOKED' });
  expect(await since(ended, async () => metrics.ended('TOKEN_REVOKED'))).toBe(1);
  metrics.close();
});

it('counts calls of methods that need no token', async () => {
  const metrics = createServerMetrics(() => 0);
  const exempt = () => shown.valueOf('tokenmesh.calls.exempt', { 'rpc.method': 'grpc.health.v1.Health/Check' });
  expect(await since(exempt, async () => metrics.exempt('/grpc.health.v1.Health/Check'))).toBe(1);
  metrics.close();
});

it('shows the live streams of all servers that are open', async () => {
  const live = () => shown.valueOf('tokenmesh.streams.live', {});
  const one = createServerMetrics(() => 3);
  const before = (await live()) ?? 0;
  const other = createServerMetrics(() => 4);
  expect(await live()).toBe(before + 4);
  one.close();
  expect(await live()).toBe(before + 1);
  other.close();
});

it('goes on counting while no SDK is registered, and measures nothing', async () => {
  await shown.close();
  const { test, decide } = createTestVerifier();
  await decide('Get', test.token());
  shown = startTestMetrics();
  const server = createServerMetrics(() => 0);
  expect(await decided('verified')()).toBeGreaterThan(0);
  expect(await shown.collect('tokenmesh.verification.duration')).toEqual([]);
  server.close();
});
