import { type ClientReadableStream, credentials, Metadata, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { unary } from '../outgoing/unary.ts';
import { refusalOf } from '../status.ts';
import { createTestIssuer, type TestIssuer } from '../test-issuer.ts';
import { until } from '../test-shop.ts';
import { type ServerInterceptors, serverInterceptors } from './server-interceptor.ts';

const payments = 'spiffe://shop.test/payments';
const [covered, other] = ['spiffe://shop.test/covered', 'spiffe://shop.test/other'];
const liveTargets = 100_000;
const streams = { covered: 10_000, other: 500 };

let issuer: TestIssuer;
let guard: ServerInterceptors;
let server: Server;
let client: InstanceType<typeof shop.Payments>;
let entered: number;
let cancelled: number;

beforeEach(async () => {
  issuer = createTestIssuer();
  [entered, cancelled] = [0, 0];
  const { issuer: name, keys, revocation, now } = issuer;
  guard = serverInterceptors({ packages: [shopPackage], audience: payments, issuer: name, keys, revocation, now });
  server = new Server({ interceptors: guard.interceptors });
  const handlers: PaymentsHandlers = {
    Charge: (_, callback) => callback(null, {}),
    Refund: (_, callback) => callback(null, {}),
    WatchCharges(call) {
      entered++;
      call.on('cancelled', () => cancelled++);
    },
  };
  server.addService(shop.Payments.service, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  client = new shop.Payments(`127.0.0.1:${port}`, credentials.createInsecure());
});

afterEach(() => {
  client.close();
  guard.close();
  server.forceShutdown();
});

function bearerOf(clientId: string): Metadata {
  const metadata = new Metadata();
  const claims = { aud: payments, client_id: clientId, sub: clientId, scope: 'payments.charge payments.watch' };
  metadata.set('authorization', `Bearer ${issuer.token(claims)}`);
  return metadata;
}

/** Opens streams of one workload; how those that ended did, by reason. */
function openStreams(clientId: string, count: number): Map<string, number> {
  const bearer = bearerOf(clientId);
  const ends = new Map<string, number>();
  const note = (how: string) => ends.set(how, (ends.get(how) ?? 0) + 1);
  for (let n = 0; n < count; n++) {
    const stream: ClientReadableStream<object> = client.watchCharges({}, bearer);
    stream.on('error', (error: ServiceError) => note(refusalOf(error)?.reason ?? String(error.code)));
    stream.resume();
  }
  return ends;
}

it('one watermark ends 10 000 open streams and no other one, with 100 000 other targets in force, while other calls go on', async () => {
  const exp = Math.floor(issuer.nowMs / 1000) + 1_000;
  const elsewhere = Array.from({ length: liveTargets }, (_, index) => ({ kind: 'session', value: `elsewhere-${index}`, exp }) as const);
  issuer.revocation.set.apply({ n: 1, t: issuer.nowMs, targets: elsewhere });
  const ends = { covered: openStreams(covered, streams.covered), other: openStreams(other, streams.other) };
  await until(() => entered === streams.covered + streams.other);
  const bearer = bearerOf(other);
  await unary(client, 'charge', {}, { metadata: bearer });
  expect([ends.covered.size, ends.other.size]).toEqual([0, 0]);

  issuer.revoke({ kind: 'client', value: covered });
  let callsBetween = 0;
  while (cancelled < streams.covered) {
    await unary(client, 'charge', {}, { metadata: bearer });
    if (cancelled < streams.covered) callsBetween++;
  }
  await until(() => ends.covered.get('TOKEN_REVOKED') === streams.covered);
  await unary(client, 'charge', {}, { metadata: bearer });
  expect([...ends.covered, ...ends.other]).toEqual([['TOKEN_REVOKED', streams.covered]]);
  expect(cancelled).toBe(streams.covered);
  expect(callsBetween).toBeGreaterThan(0);
}, 90_000);
