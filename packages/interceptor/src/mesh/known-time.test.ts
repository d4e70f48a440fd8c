import { Server } from '@grpc/grpc-js';
import { shop, shopPackage } from '@tokenmesh/proto/shop';
import type { Freshness } from '@tokenmesh/revocation';
import { expect, it, onTestFinished } from 'vitest';
import { refusalOf, unary } from '../index.ts';
import { authorizationOf } from '../testing/bad-tokens.ts';
import { testMesh } from '../testing/index.ts';
import { knownTime } from './known-time.ts';

const known = { state: 'stale', epoch: 'e', n: 1, path: 'grpc' } as const;
const timeAt = (wallMs: number, freshness: Freshness) => knownTime({ freshness: () => freshness })({ wallMs, monotonicMs: 0 });

it('is the wall clock’s while nothing says that it is wrong', () => {
  expect(timeAt(1_000_000, { state: 'empty' })).toBe(1_000_000);
  expect(timeAt(1_000_000, { ...known, freshAtMs: 999_000, ageMs: 1_000 })).toBe(1_000_000);
});

it('is the wall clock’s as long as it is no more than 5 s behind what is known, and then what is known', () => {
  expect(timeAt(1_000_000, { ...known, freshAtMs: 1_002_000, ageMs: 3_000 })).toBe(1_000_000);
  expect(timeAt(1_000_000, { ...known, freshAtMs: 1_002_000, ageMs: 3_001 })).toBe(1_005_001);
});

it('is the wall clock’s when that is ahead', () => {
  expect(timeAt(9_000_000, { ...known, freshAtMs: 1_000_000, ageMs: 8_000_000 })).toBe(9_000_000);
});

it('is nothing to decide by when the wall clock tells nothing', () => {
  expect(timeAt(Number.NaN, { ...known, freshAtMs: 1_000, ageMs: 5 })).toBeNaN();
});

it('is what a mesh judges calls by, so that an expired token stays so when the wall clock is set back', async () => {
  let wallMs = Date.UTC(2026, 0, 1);
  const [gateway, payments] = ['spiffe://shop.test/gateway', 'spiffe://shop.test/payments'];
  const test = testMesh({ trustDomain: 'shop.test', now: () => wallMs });
  onTestFinished(test.close);
  const mesh = await test.meshFor(payments);
  const server = new Server({ interceptors: mesh.server(shopPackage) });
  server.addService(shop.Payments.service, { Charge: (_: unknown, answer: (error: null, charged: object) => void) => answer(null, {}) });
  onTestFinished(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', mesh.serverCredentials(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const client = new shop.Payments(`127.0.0.1:${port}`, mesh.channelCredentials());
  onTestFinished(() => client.close());
  const token = test.token({ as: gateway, for: payments, scope: 'payments.charge' });
  const charge = () => unary(client, 'charge', {}, { metadata: authorizationOf(`Bearer ${token}`) }).then(() => 'let in', refusalOf);
  expect(await charge()).toBe('let in');
  await test.advance(320_000);
  expect(await charge()).toMatchObject({ reason: 'TOKEN_EXPIRED' });
  wallMs -= 30_000;
  expect(await charge()).toMatchObject({ reason: 'TOKEN_EXPIRED' });
  expect(mesh.feed.freshness()).toMatchObject({ state: 'fresh' });
});

it('is asked of the feed for the moment of the call: what the clocks said then is not read again', async () => {
  const wallMs = Date.UTC(2026, 0, 1);
  const test = testMesh({ now: () => wallMs });
  onTestFinished(test.close);
  const { feed } = await test.meshFor('spiffe://mesh.test/orders');
  expect(feed.freshness({ wallMs: wallMs + 5_000, monotonicMs: 0 })).toMatchObject({ state: 'fresh', ageMs: 5_000 });
  expect(feed.freshness({ wallMs: wallMs + 5_001, monotonicMs: 0 })).toMatchObject({ state: 'stale', ageMs: 5_001 });
  expect(knownTime(feed)({ wallMs: wallMs - 6_000, monotonicMs: 0 })).toBe(wallMs);
});
