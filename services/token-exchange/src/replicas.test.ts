import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { createMesh, privateKeyJwt, refusalOf, unary } from '@tokenmesh/interceptor';
import { type AuditEventMessage, type ExchangeTokenRequest, tokenmesh, type WatchEventsResponse } from '@tokenmesh/proto';
import { genesisHash, openEvent } from '@tokenmesh/revocation';
import { exportJwk, importJwks } from '@tokenmesh/token';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from './clients/test-certificate.ts';
import { loadConfig } from './config/config.ts';
import { openPostgresStore } from './record/postgres.ts';
import type { Store } from './record/store.ts';
import { hasPostgres, startTestPostgres, type TestPostgres } from './record/test-postgres.ts';
import { startTokenExchange } from './server.ts';
import {
  authenticate,
  createTestLog,
  encryption,
  gateway,
  issuerUrl,
  keyOf,
  mesh,
  newId,
  operator,
  orders,
  own,
  payments,
  temporaryDirectory,
} from './testing.ts';

const { cert, key } = createTestCertificate();
const replicaCount = 3;

interface Replica {
  readonly address: string;
  readonly store: Store;
  readonly exchange: InstanceType<typeof tokenmesh.TokenExchange>;
  readonly admin: InstanceType<typeof tokenmesh.Admin>;
  readonly feed: InstanceType<typeof tokenmesh.RevocationFeed>;
  close(): Promise<void>;
}

describe.skipIf(!hasPostgres)('three replicas on one PostgreSQL', () => {
  let server: TestPostgres;
  let directory: ReturnType<typeof temporaryDirectory>;
  let replicas: readonly [Replica, Replica, Replica];
  beforeAll(async () => {
    server = await startTestPostgres();
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    directory = temporaryDirectory();
    const config = configure(directory.path, await server.createDatabase());
    const started = await Promise.all(Array.from({ length: replicaCount }, () => startReplica(config)));
    replicas = started as [Replica, Replica, Replica]; // as many as that
  });
  afterEach(async () => {
    for (const replica of replicas) await replica.close();
    directory.remove();
  });

  const request = (clientId: string, audience: string, scope = '') => ({
    ...authenticate(clientId, Date.now),
    grant_type: 'client_credentials',
    audience,
    scope,
  });
  const ask = (replica: Replica, parameters: Partial<ExchangeTokenRequest>) => unary(replica.exchange, 'exchangeToken', parameters);

  async function bearer(clientId: string, scope = ''): Promise<{ metadata: Metadata }> {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${(await ask(replicas[0], request(clientId, own, scope))).access_token}`);
    return { metadata };
  }

  it('have the same keys and the same log from the first moment on', async () => {
    const active = await Promise.all(replicas.map(async ({ exchange }) => (await unary(exchange, 'getJwks', {})).keys[0]?.kid));
    expect(active).toEqual([active[0], active[0], active[0]]);
    const states = (await replicas[0].store.transaction((transaction) => transaction.keys())).filter(({ state }) => state === 'active');
    expect(states.map(({ purpose }) => purpose).sort()).toEqual(['feed', 'token']);
    const epochs = await Promise.all(replicas.map(async ({ store }) => (await store.head()).epoch));
    expect(new Set(epochs).size).toBe(1);
  });

  it('number their revocations 1 to N without a gap, in one chain, and a verifier that follows one sees those of all', async () => {
    const [first] = replicas;
    const verifier = await createMesh({
      self: payments,
      tokenExchange: first.address,
      credential: privateKeyJwt(keyOf(payments)),
      ca: cert,
    });
    try {
      const { feed } = verifier;
      await feed.ready();
      const total = 60;
      const seen = Promise.withResolvers<void>();
      feed.onApplied(() => feed.set.size >= total && seen.resolve());
      const options = await bearer(operator);
      const acknowledged = await Promise.all(
        Array.from({ length: total }, async (_, index) => {
          const replica = replicas[index % replicaCount] ?? first;
          const targets = [{ kind: 'subject', value: `spiffe://shop.test/s${index}` }];
          const { acknowledgement } = await unary(replica.admin, 'addRevocation', { targets }, options);
          return Number(acknowledgement?.n);
        }),
      );
      await seen.promise;
      const { epoch, n, h } = await first.store.head();
      const events = await first.store.events(1, 1000);
      expect(events.map((event) => event.n)).toEqual(Array.from({ length: n }, (_, index) => index + 1));
      expect(new Set(acknowledged)).toEqual(new Set(events.map((event) => event.n)));
      const keys = importJwks((await unary(first.feed, 'getFeedKeys', {}, await bearer(payments))).keys);
      let prev = genesisHash(epoch);
      for (const { compact } of events) {
        const { event, hash } = openEvent(compact, keys, { issuer: issuerUrl, mesh });
        expect(event.prev).toBe(prev);
        prev = hash;
      }
      expect(prev).toBe(h);
      expect(feed.set.size).toBe(total);
    } finally {
      await verifier.close();
    }
  });

  it('answer a request to revoke that reaches all of them at once with one event', async () => {
    const options = await bearer(operator);
    for (let round = 1; round <= 20; round++) {
      const asked = { targets: [{ kind: 'subject', value: 'spiffe://shop.test/s' }], request_id: `r${round}` };
      const answers = await Promise.all(replicas.map(({ admin }) => unary(admin, 'addRevocation', asked, options)));
      const positions = answers.map(({ acknowledgement }) => acknowledgement?.n);
      expect(positions).toEqual([round, round, round]);
    }
  });

  it('refuse an exchange of what another one just revoked', async () => {
    for (let round = 0; round < 20; round++) {
      const { access_token: token } = await ask(replicas[0], request(gateway, orders));
      const exchange = (replica: Replica) =>
        ask(replica, {
          ...authenticate(orders, Date.now),
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          audience: payments,
          subject_token: token,
          subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        });
      await exchange(replicas[1]);
      await unary(replicas[0].exchange, 'revokeToken', { ...authenticate(gateway, Date.now), token });
      expect(await outcome(exchange(replicas[1]))).toBe('SUBJECT_TOKEN_INVALID');
      const question = { ...authenticate(orders, Date.now), token };
      expect(await unary(replicas[2].exchange, 'introspectToken', question)).toMatchObject({ active: false });
    }
  });

  it('refuse a workload that another one just suspended, and its calls as soon as they heard of it', async () => {
    const calling = await bearer(operator);
    const suspended = await bearer(payments, 'revocation.read');
    await unary(replicas[1].feed, 'getFeedKeys', {}, suspended);
    await unary(replicas[0].admin, 'suspendWorkload', { client_id: payments }, calling);
    for (const replica of replicas) {
      expect(await outcome(ask(replica, request(payments, own)))).toBe('CLIENT_NOT_ALLOWED');
    }
    const refused = () => outcome(unary(replicas[1].feed, 'getFeedKeys', {}, suspended));
    let reason = await refused();
    while (reason === 'accepted') reason = await refused();
    expect(reason).toBe('TOKEN_REVOKED');
  });

  it('stream to whoever watches one of them what any of them audits, each event once', async () => {
    const { metadata } = await bearer(operator);
    const watch = replicas[1].admin.watchEvents({ client_id: gateway }, metadata);
    await once(watch, 'metadata');
    const seen: AuditEventMessage[] = [];
    const [issued, refused] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    watch.on('data', ({ event }: WatchEventsResponse) => {
      if (event && seen.push(event) === 60) issued.resolve();
      if (event?.kind === 'token.refused') refused.resolve();
    });
    const ended = once(watch, 'error');
    const tokens = await Promise.all(
      Array.from({ length: 60 }, (_, index) => ask(replicas[index % replicaCount] ?? replicas[0], request(gateway, orders))),
    );
    await issued.promise;
    // whatever would come a second time comes before this
    await outcome(ask(replicas[2], request(gateway, orders, 'orders.delete')));
    await refused.promise;
    watch.cancel();
    expect((await ended)[0]).toMatchObject({ code: status.CANCELLED });
    const jtis = tokens.map(({ access_token = '' }) => jtiOf(access_token));
    expect(seen.map(({ jti }) => jti).sort()).toEqual([...jtis, ''].sort());
    expect(seen.at(-1)).toMatchObject({ kind: 'token.refused', who: gateway, reason: 'SCOPE_REFUSED' });
  });

  it('make checkpoints that count what any of them acknowledged', async () => {
    const calling = await bearer(operator);
    for (let round = 1; round <= 10; round++) {
      const targets = [{ kind: 'subject', value: `spiffe://shop.test/s${round}` }];
      await unary(replicas[round % 2 ? 0 : 2].admin, 'addRevocation', { targets }, calling);
      const { checkpoint } = await unary(replicas[1].feed, 'checkpoint', { nonce: `n${round}` }, await bearer(payments, 'revocation.read'));
      const [, payload = ''] = checkpoint.split('.');
      expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ n: round });
    }
  });
});

/** What became of a call, without the token that it may have answered. */
async function outcome(call: Promise<unknown>): Promise<string | undefined> {
  return await call.then(
    () => 'accepted',
    (error: ServiceError) => refusalOf(error)?.reason,
  );
}

function jtiOf(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti;
}

function configure(directory: string, url: string) {
  writeFileSync(join(directory, 'cert.pem'), cert);
  writeFileSync(join(directory, 'key.pem'), key);
  writeFileSync(join(directory, 'postgres-url'), `${url}\n`);
  const file = join(directory, 'tokenmesh.yaml');
  const ids = [gateway, orders, payments, operator];
  const document = {
    trust_domain: mesh,
    listen: '127.0.0.1:0',
    tls: { cert: 'cert.pem', key: 'key.pem' },
    store: { postgres: { url_file: 'postgres-url' } },
    workloads: ids.map((id) => ({ id, jwks: { keys: [exportJwk(keyOf(id))] } })),
    audiences: [
      { id: orders, scopes: ['orders.read'] },
      { id: payments, scopes: ['payments.charge'] },
    ],
    grants: [
      { from: gateway, to: orders, scopes: ['orders.read'] },
      { from: orders, to: payments, scopes: ['payments.charge'], delegation: { scopes: ['payments.charge'] } },
      { from: operator, to: own, scopes: ['admin.read', 'admin.revoke'] },
    ],
  };
  writeFileSync(file, JSON.stringify(document)); // JSON is YAML
  return loadConfig(file);
}

async function startReplica(config: ReturnType<typeof loadConfig>): Promise<Replica> {
  if (!('postgres' in config.store)) throw new Error('the configuration names a PostgreSQL');
  const store = await openPostgresStore(config.store.postgres, { newId });
  const server = await startTokenExchange({ config, store, encryption, log: createTestLog() });
  const [address, tls] = [`localhost:${server.port}`, credentials.createSsl(cert)];
  const clients = {
    exchange: new tokenmesh.TokenExchange(address, tls),
    admin: new tokenmesh.Admin(address, tls),
    feed: new tokenmesh.RevocationFeed(address, tls),
  };
  return {
    ...{ ...clients, store, address },
    async close() {
      for (const client of Object.values(clients)) client.close();
      await server.close();
      await store.close();
    },
  };
}
