import { once } from 'node:events';
import { join } from 'node:path';
import { type Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { refusalOf, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from './clients/test-certificate.ts';
import type { Config } from './config/config.ts';
import { openSqliteStore } from './record/sqlite.ts';
import type { Store } from './record/store.ts';
import { startTokenExchange, type TokenExchangeServer } from './server.ts';
import { bearerOf } from './test-bearer.ts';
import {
  authenticate,
  createTestLog,
  encryption,
  gateway,
  grants,
  newId,
  operator,
  orders,
  own,
  payments,
  temporaryDirectory,
  testConfig,
  workloads,
} from './testing.ts';

// A server whose configuration changes, whose clients flood it, and that is stopped: always with calls under way.

const { cert, key } = createTestCertificate();
let directory: ReturnType<typeof temporaryDirectory>;
let store: Store;
let server: TokenExchangeServer;
let clients: Client[];
/** While set, transactions wait for it after they have begun to count. */
let held: { readonly until: Promise<void>; readonly arrive: () => void } | undefined;

beforeEach(async () => {
  directory = temporaryDirectory();
  [clients, held] = [[], undefined];
  store = await openSqliteStore(join(directory.path, 'record.db'), { newId });
});
afterEach(async () => {
  for (const client of clients) client.close();
  await server.close();
  await store.close();
  directory.remove();
});

function configuration(changes: Partial<Config> = {}): Config {
  return testConfig({ tls: { cert, key }, store: { sqlite: join(directory.path, 'record.db') }, ...changes });
}

async function start(changes: Partial<Config> = {}): Promise<void> {
  const slow: Store = {
    ...store,
    async transaction(work) {
      held?.arrive();
      await held?.until;
      return await store.transaction(work);
    },
  };
  server = await startTokenExchange({ config: configuration(changes), store: slow, encryption, log: createTestLog() });
}

function open<T extends Client>(Service: new (address: string, tls: ReturnType<typeof credentials.createSsl>) => T): T {
  const client = new Service(`localhost:${server.port}`, credentials.createSsl(cert));
  clients.push(client);
  return client;
}

const request = (clientId: string, audience: string) => ({
  ...authenticate(clientId, Date.now),
  grant_type: 'client_credentials',
  audience,
});

/** Holds every transaction from now on. */
function hold(): { readonly arrived: Promise<void>; release(): void } {
  let [release, arrive] = [() => {}, () => {}];
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  held = { until, arrive };
  return { arrived, release };
}

async function failure(call: Promise<unknown>): Promise<ServiceError> {
  return await call.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: ServiceError) => error,
  );
}

describe('a change of the configuration', () => {
  it('ends the live stream of a workload that it takes out, and refuses its next call', async () => {
    await start();
    const exchange = open(tokenmesh.TokenExchange);
    const feed = open(tokenmesh.RevocationFeed);
    const streamOf = async (clientId: string) => {
      const stream = feed.sync((await bearerOf(exchange, clientId)).metadata);
      stream.resume();
      await once(stream, 'metadata');
      return stream;
    };
    const [leaving, staying] = [await streamOf(payments), await streamOf(orders)];
    let stayed = true;
    staying.on('error', () => {
      stayed = false;
    });
    const ended = once(leaving, 'error');
    await server.applyConfig(
      configuration({
        workloads: new Map([...workloads].filter(([id]) => id !== payments)),
        grants: grants.filter(({ from }) => from !== payments),
      }),
    );
    const [error] = (await ended) as [ServiceError];
    expect([error.code, refusalOf(error)?.reason]).toEqual([status.UNAUTHENTICATED, 'TOKEN_REVOKED']);
    expect(refusalOf(await failure(unary(exchange, 'exchangeToken', request(payments, own))))?.reason).toBe('CLIENT_AUTHENTICATION_FAILED');
    await unary(exchange, 'exchangeToken', request(orders, own));
    expect(stayed).toBe(true);
  });
});

describe('a flood', () => {
  it('by one workload is refused with the time to come back, and nothing of another is', async () => {
    await start({ limits: { perWorkload: 1, burst: 3, concurrency: 8, queue: 100 } });
    const exchange = open(tokenmesh.TokenExchange);
    const flood = await Promise.allSettled(Array.from({ length: 30 }, () => unary(exchange, 'exchangeToken', request(gateway, orders))));
    const refused = flood.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as ServiceError] : []));
    // one a second comes back: on a slow machine a few more get through, never most
    expect(refused.length).toBeGreaterThan(15);
    for (const error of refused) {
      expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
      const refusal = refusalOf(error);
      expect(refusal).toMatchObject({ reason: 'EXCHANGE_OVERLOADED', remedy: 'backoff' });
      expect(refusal?.retryAfterMs).toBeGreaterThan(0);
      expect(refusal?.retryAfterMs).toBeLessThanOrEqual(1000);
    }
    for (let count = 0; count < 3; count++) await unary(exchange, 'exchangeToken', request(operator, own));
  });

  it('is not held against what anybody may read', async () => {
    await start({ limits: { perWorkload: 1, burst: 1, concurrency: 1, queue: 1 } });
    const exchange = open(tokenmesh.TokenExchange);
    await Promise.allSettled(Array.from({ length: 10 }, () => unary(exchange, 'exchangeToken', request(gateway, orders))));
    const answers = await Promise.all(Array.from({ length: 20 }, () => unary(exchange, 'getJwks', {})));
    expect(answers.every(({ keys }) => keys.length > 0)).toBe(true);
  });
});

describe('a stop with calls under way', () => {
  it('finishes them, and takes no new ones', async () => {
    await start();
    const exchange = open(tokenmesh.TokenExchange);
    await unary(exchange, 'getJwks', {});
    const { arrived, release } = hold();
    const underWay = unary(exchange, 'exchangeToken', request(gateway, orders));
    await arrived;
    const stopping = server.close();
    const late = open(tokenmesh.TokenExchange);
    expect((await failure(unary(late, 'exchangeToken', request(gateway, orders)))).code).toBe(status.UNAVAILABLE);
    let stopped = false;
    void stopping.then(() => {
      stopped = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    held = undefined;
    release();
    expect((await underWay).access_token).not.toBe('');
    await stopping;
  });
});
