import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createTestCertificate } from './clients/test-certificate.ts';
import type { Config } from './config/config.ts';
import { openSqliteStore } from './record/sqlite.ts';
import type { Store, StoreTransaction } from './record/store.ts';
import { startTokenExchange } from './server.ts';
import { createTestLog, encryption, issuerUrl, newId, temporaryDirectory, testConfig } from './testing.ts';

const { cert, key } = createTestCertificate();
const anyPort = { host: '127.0.0.1', port: 0 };
let directory: ReturnType<typeof temporaryDirectory>;
let record: Store;
let taken: Server;
let takenPort: { host: string; port: number };

beforeEach(async () => {
  directory = temporaryDirectory();
  record = await openSqliteStore(join(directory.path, 'record.db'), { newId });
  taken = await listenOn(0);
  // counted, and never due
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  takenPort = { host: '127.0.0.1', port: (taken.address() as { port: number }).port }; // it listens on an address
});
afterEach(async () => {
  vi.useRealTimers();
  await closed(taken);
  await record.close();
  directory.remove();
});

function listenOn(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

const closed = (server: Server) => new Promise((resolve) => server.close(resolve));

const start = (changes: Partial<Config>, store: Store) =>
  startTokenExchange({
    config: testConfig({ tls: { cert, key }, store: { sqlite: join(directory.path, 'record.db') }, ...changes }),
    ...{ store, encryption, log: createTestLog() },
  });

/** The record, of which one operation fails: by then whatever comes before it in a start is open. */
function failingAt(operation: 'appliedTerms' | 'longestLife'): Store {
  const failing = async () => Promise.reject(new Error('the disk is full'));
  return { ...record, transaction: (work) => record.transaction((open: StoreTransaction) => work({ ...open, [operation]: failing })) };
}

it.each([
  ['the policy cannot be compared with the record', () => start({}, failingAt('appliedTerms')), 'the disk is full'],
  ['the life of keys cannot be read', () => start({}, failingAt('longestLife')), 'the disk is full'],
  ['the port of HTTP is taken', () => start({ facade: { listen: takenPort, url: issuerUrl } }, record), 'EADDRINUSE'],
  ['the port of gRPC is taken', () => start({ listen: takenPort }, record), 'No address added'],
] as const)('stops what works in the background when the start fails: %s', async (_, failingStart, message) => {
  await expect(failingStart()).rejects.toThrow(message);
  expect(vi.getTimerCount()).toBe(0);
});

it('gives back the port of HTTP when the one of gRPC is taken', async () => {
  const free = await listenOn(0);
  const { port } = free.address() as { port: number }; // it listens on an address
  await closed(free);
  await expect(start({ listen: takenPort, facade: { listen: { ...anyPort, port }, url: issuerUrl } }, record)).rejects.toThrow(
    'No address added',
  );
  await closed(await listenOn(port));
});

it('works in the background until it is closed', async () => {
  const server = await start({}, record);
  expect(vi.getTimerCount()).toBeGreaterThan(0);
  await server.close();
  expect(vi.getTimerCount()).toBe(0);
});
