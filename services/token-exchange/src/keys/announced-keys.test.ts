import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { createMesh, type Mesh, privateKeyJwt, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { shopPackage } from '@tokenmesh/proto/shop';
import { type FeedPublisher, openCheckpoint } from '@tokenmesh/revocation';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import { openSqliteStore } from '../record/sqlite.ts';
import { startTokenExchange } from '../server.ts';
import { bearerOf } from '../test-bearer.ts';
import {
  createTestIssuer,
  createTestLog,
  encryption,
  grantsWithKeys,
  issuerUrl,
  keyOf,
  mesh as meshName,
  newId,
  operator,
  orders,
  payments,
  temporaryDirectory,
  testConfig,
} from '../testing.ts';

const { cert, key } = createTestCertificate();
/** Of a test and of what it waits for: over long before anybody would ask by max-age. */
const timeout = 20_000;

/** A token-exchange whose keys verifiers would ask for every two and a half minutes, and two verifiers. */
async function start() {
  const directory = temporaryDirectory();
  onTestFinished(() => directory.remove());
  const record = join(directory.path, 'record.db');
  const store = await openSqliteStore(record, { newId });
  onTestFinished(() => store.close());
  const server = await startTokenExchange({
    config: testConfig({ tls: { cert, key }, store: { sqlite: record }, grants: grantsWithKeys }),
    ...{ store, encryption, log: createTestLog() },
  });
  onTestFinished(() => server.close());
  const tls = credentials.createSsl(cert);
  const address = `localhost:${server.port}`;
  const [exchange, admin] = [new tokenmesh.TokenExchange(address, tls), new tokenmesh.Admin(address, tls)];
  onTestFinished(() => [exchange, admin].forEach((client) => void client.close()));
  const verifiers: Mesh[] = [];
  for (const self of [orders, payments]) {
    const verifier = await createMesh({ self, tokenExchange: address, credential: privateKeyJwt(keyOf(self)), ca: cert });
    onTestFinished(() => verifier.close());
    verifier.server(shopPackage);
    verifiers.push(verifier);
  }
  await Promise.all(verifiers.map((verifier) => verifier.ready()));
  return {
    async withdraw(kid: string) {
      await unary(admin, 'withdrawKey', { kid }, await bearerOf(exchange, operator));
    },
    published: async () => (await unary(exchange, 'getJwks', {})).keys.map(({ kid }) => kid).sort(),
    known: () => verifiers.map((verifier) => verifier.describe().issuers[0]?.kids.toSorted()),
  };
}

it('a checkpoint names the version of the keys, and one goes out as soon as they changed, before the next second', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] }); // no second passes
  onTestFinished(() => void vi.useRealTimers());
  const sent: string[] = [];
  const publishCheckpoint = (compact: string) => void sent.push(compact);
  const publisher: FeedPublisher = { name: 'memory', publishEvent: async () => {}, publishCheckpoint, close: async () => {} };
  const issuer = await createTestIssuer({ log: { publisher } });
  onTestFinished(() => issuer.close());
  const { keys, store } = issuer;
  const before = keys.version;
  await store.transaction((transaction) => transaction.lockKeys());
  await keys.reload();
  await vi.waitUntil(() => sent.length > 0);
  const origin = { issuer: issuerUrl, mesh: meshName };
  expect(sent.map((compact) => openCheckpoint(compact, keys.feed.verification, origin).keysVersion)).toEqual([before + 1]);
  await keys.reload();
  expect(sent).toHaveLength(1);
});

it('verifiers learn new keys, and forget withdrawn ones, from the next checkpoint, not when max-age is half over', {
  timeout,
}, async () => {
  const { withdraw, published, known } = await start();
  const everybodyKnows = (kids: readonly string[]) => known().every((its) => its?.join() === kids.join());
  let before = await published();
  await vi.waitUntil(() => everybodyKnows(before), { timeout });
  // with each key that is withdrawn, signing or not, another one is published
  for (const kid of [...before]) {
    await withdraw(kid);
    await vi.waitUntil(async () => (await published()).length === 2, { timeout });
    const after = await published();
    expect(after).not.toContain(kid);
    expect(after).not.toEqual(before);
    await vi.waitUntil(() => everybodyKnows(after), { timeout });
    before = after;
  }
});
