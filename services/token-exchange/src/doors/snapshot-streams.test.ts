import { once } from 'node:events';
import { connect, constants } from 'node:http2';
import { join } from 'node:path';
import { credentials, type ServiceError, status } from '@grpc/grpc-js';
import { createMesh, privateKeyJwt, refusalOf, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import type { Config } from '../config/config.ts';
import { openSqliteStore } from '../record/sqlite.ts';
import type { Store } from '../record/store.ts';
import { startTokenExchange, type TokenExchangeServer } from '../server.ts';
import { bearerOf } from '../test-bearer.ts';
import {
  createTestLog,
  encryption,
  gateway,
  keyOf,
  newId,
  operator,
  orders,
  payments,
  temporaryDirectory,
  testConfig,
} from '../testing.ts';
import { unlimited } from './admission.ts';

const { cert, key } = createTestCertificate();
let directory: ReturnType<typeof temporaryDirectory>;
let store: Store;
let server: TokenExchangeServer;
let config: Config;
let exchange: InstanceType<typeof tokenmesh.TokenExchange>;
let feed: InstanceType<typeof tokenmesh.RevocationFeed>;

/** A token-exchange that lets this many large snapshots be read at a time. */
async function start(snapshots: number): Promise<void> {
  config = testConfig({ tls: { cert, key }, store: { sqlite: join(directory.path, 'record.db') }, limits: { ...unlimited, snapshots } });
  server = await startTokenExchange({ config, store, encryption, log: createTestLog() });
  const tls = credentials.createSsl(cert);
  exchange = new tokenmesh.TokenExchange(`localhost:${server.port}`, tls);
  feed = new tokenmesh.RevocationFeed(`localhost:${server.port}`, tls);
}

/** Revokes so many targets, in requests of 500. */
async function revoke(count: number): Promise<void> {
  const admin = new tokenmesh.Admin(`localhost:${server.port}`, credentials.createSsl(cert));
  onTestFinished(() => admin.close());
  const { metadata } = await bearerOf(exchange, operator);
  for (let from = 0; from < count; from += 500) {
    const targets = Array.from({ length: 500 }, (_, index) => ({ kind: 'subject', value: `s${from + index}` }));
    await unary(admin, 'addRevocation', { targets }, { metadata });
  }
}

/** Asks for a snapshot and does not read it: over HTTP/2 itself, for grpc-js takes 16 messages before it is asked for one. */
async function hold(clientId: string): Promise<{ cancel(): void }> {
  const session = connect(`https://localhost:${server.port}`, { ca: cert });
  session.on('error', () => undefined); // the server ends it in the end
  onTestFinished(() => session.destroy());
  const { metadata } = await bearerOf(exchange, clientId);
  const [authorization = ''] = metadata.get('authorization').map(String);
  const headers = { ':method': 'POST', ':path': '/tokenmesh.v1.RevocationFeed/GetSnapshot', 'content-type': 'application/grpc' };
  const stream = session.request({ ...headers, te: 'trailers', authorization });
  stream.end(Buffer.alloc(5)); // an empty message
  await once(stream, 'response');
  return { cancel: () => stream.close(constants.NGHTTP2_CANCEL) };
}

/** How many chunks a snapshot has, or the refusal. */
async function read(clientId: string) {
  const stream = feed.getSnapshot({}, (await bearerOf(exchange, clientId)).metadata);
  let chunks = 0;
  try {
    for await (const { chunk } of stream) if (chunk) chunks++;
    return chunks;
  } catch (error) {
    const refused = error as ServiceError; // a stream of grpc-js ends with nothing else
    return [status[refused.code], refusalOf(refused)];
  }
}

beforeEach(async () => {
  directory = temporaryDirectory();
  store = await openSqliteStore(join(directory.path, 'record.db'), { newId });
});
afterEach(async () => {
  exchange.close();
  feed.close();
  await server.close();
  await store.close();
  directory.remove();
});

const overloaded = [
  'RESOURCE_EXHAUSTED',
  expect.objectContaining({ reason: 'EXCHANGE_OVERLOADED', remedy: 'backoff', retryAfterMs: 1000 }),
];
/** Two chunks. */
const large = 11_000;

describe('snapshots of the record', () => {
  it('are read by so many at a time, and by one workload in half of the places; whoever is sent away finds one that was left', async () => {
    await start(3);
    await revoke(large);
    const [first, second] = [await hold(orders), await hold(orders)];
    expect(await read(orders)).toEqual(overloaded);
    const third = await hold(payments);
    expect(await read(gateway)).toEqual(overloaded);
    third.cancel();
    await vi.waitFor(async () => expect(await read(gateway)).toBe(2));
    first.cancel();
    await vi.waitFor(async () => expect(await read(orders)).toBe(2));
    second.cancel();
  });

  it('of one chunk are sent to everybody', async () => {
    await start(1);
    await revoke(500);
    const held = await Promise.all([hold(orders), hold(orders), hold(payments)]);
    expect(await read(orders)).toBe(1);
    for (const stream of held) stream.cancel();
  });

  it('are asked for again by a verifier that was sent away, until it has one', async () => {
    await start(1);
    await revoke(large);
    const held = await hold(orders);
    await using verifier = await createMesh({
      ...{ self: payments, tokenExchange: `localhost:${server.port}`, credential: privateKeyJwt(keyOf(payments)), ca: cert },
    });
    let refused: ServiceError | undefined;
    for await (const change of verifier.status()) {
      if (change.type !== 'feed' || change.status.type !== 'request-failed' || change.status.request !== 'snapshot') continue;
      refused = change.status.error as ServiceError; // true: token-exchange answered
      break;
    }
    expect(refusalOf(refused)?.reason).toBe('EXCHANGE_OVERLOADED');
    expect(verifier.feed.freshness().state).toBe('empty');
    held.cancel();
    await verifier.ready();
    expect(verifier.feed.set.size).toBe(large);
  });

  it('are bounded by the configuration in force', async () => {
    await start(1);
    await revoke(large);
    const held = await hold(orders);
    expect(await read(payments)).toEqual(overloaded);
    await server.applyConfig({ ...config, limits: { ...unlimited, snapshots: 2 } });
    expect(await read(payments)).toBe(2);
    held.cancel();
  });
});
