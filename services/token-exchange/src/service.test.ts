import { once } from 'node:events';
import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { context, propagation, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { createMesh, type Mesh, privateKeyJwt, refusalOf, unary } from '@tokenmesh/interceptor';
import { type ExchangeTokenResponse, tokenmesh } from '@tokenmesh/proto';
import { shopPackage } from '@tokenmesh/proto/shop';
import { openCheckpoint, openEvent, openSnapshot } from '@tokenmesh/revocation';
import { grpcRecord } from '@tokenmesh/revocation/grpc';
import { createLocalKeySet, importJwks, type Reason, verifyServiceToken } from '@tokenmesh/token';
import { service as healthService } from 'grpc-health-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createTestCertificate } from './clients/test-certificate.ts';
import { openSqliteStore } from './record/sqlite.ts';
import type { Store } from './record/store.ts';
import { startTokenExchange, type TokenExchangeServer } from './server.ts';
import {
  authenticate,
  createTestLog,
  encryption,
  gateway,
  issuerUrl,
  keyOf,
  mesh as meshName,
  newId,
  operator,
  orders,
  own,
  payments,
  temporaryDirectory,
  testConfig,
} from './testing.ts';

const { cert, key } = createTestCertificate();
const expected = { issuer: issuerUrl, mesh: meshName };
let directory: ReturnType<typeof temporaryDirectory>;
let store: Store;
let server: TokenExchangeServer;
let log: ReturnType<typeof createTestLog>;
let exchange: InstanceType<typeof tokenmesh.TokenExchange>;
let admin: InstanceType<typeof tokenmesh.Admin>;
let feed: InstanceType<typeof tokenmesh.RevocationFeed>;
let clients: Client[];
let meshes: Mesh[];

async function start(): Promise<void> {
  store = await openSqliteStore(join(directory.path, 'record.db'), { newId });
  server = await startTokenExchange({
    config: testConfig({ tls: { cert, key }, store: { sqlite: join(directory.path, 'record.db') } }),
    store,
    encryption,
    log,
  });
  const tls = credentials.createSsl(cert);
  exchange = new tokenmesh.TokenExchange(address(), tls);
  admin = new tokenmesh.Admin(address(), tls);
  feed = new tokenmesh.RevocationFeed(address(), tls);
  clients.push(exchange, admin, feed);
}

beforeEach(async () => {
  directory = temporaryDirectory();
  log = createTestLog();
  [clients, meshes] = [[], []];
  await start();
});
afterEach(async () => {
  for (const open of meshes) await open.close();
  for (const client of clients) client.close();
  await server.close();
  await store.close();
  directory.remove();
});

const address = () => `localhost:${server.port}`;

/** A workload's own token for an audience. */
async function tokenOf(clientId: string, audience: string, scope = ''): Promise<ExchangeTokenResponse> {
  return await unary(exchange, 'exchangeToken', { ...authenticate(clientId, Date.now), grant_type: 'client_credentials', audience, scope });
}

async function bearer(clientId: string, audience = own, scope = ''): Promise<{ metadata: Metadata }> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${(await tokenOf(clientId, audience, scope)).access_token}`);
  return { metadata };
}

async function refusal(call: Promise<unknown>): Promise<[string | undefined, Reason | undefined]> {
  const error = await call.then(
    () => undefined,
    (refused: ServiceError) => refused,
  );
  return [error && status[error.code], error && refusalOf(error)?.reason];
}

async function joinMesh(self: string): Promise<Mesh> {
  const joined = await createMesh({ self, tokenExchange: address(), credential: privateKeyJwt(keyOf(self)), ca: cert });
  meshes.push(joined);
  return joined;
}

it('does not log each of the refusals that a stranger causes, and counts those that it leaves out', async () => {
  const refused = await Promise.all(Array.from({ length: 200 }, () => refusal(unary(admin, 'listKeys', {}))));
  expect(refused).toEqual(Array(200).fill(['UNAUTHENTICATED', 'CREDENTIAL_MISSING']));
  await server.close(); // says what is unsaid
  const logged = log.entries.filter(({ event }) => event === 'call.refused').length;
  const leftOut = log.entries.filter(({ event }) => event === 'log.left_out').map(({ count }) => Number(count));
  expect(logged).toBeLessThan(200);
  expect(leftOut.reduce((sum, count) => sum + count, logged)).toBe(200);
});

describe('TokenExchange over TLS', () => {
  it('issues tokens that its JWKS verifies', async () => {
    const { access_token } = await tokenOf(gateway, orders);
    const { keys, max_age } = await unary(exchange, 'getJwks', {});
    const options = { issuer: issuerUrl, audience: orders, keys: createLocalKeySet(keys), now: Date.now };
    expect((await verifyServiceToken(access_token, options)).claims).toMatchObject({ sub: gateway, aud: orders });
    expect(max_age).toBe(300);
  });

  it('issues several at once, and says of each that it refuses why', async () => {
    const its = (audience: string) => ({ grant_type: 'client_credentials', audience });
    const request = { ...authenticate(gateway, Date.now), requests: [its(orders), its(operator), its(own)] };
    const { results } = await unary(exchange, 'exchangeTokens', request);
    expect(results.map(({ result }) => result)).toEqual(['response', 'refusal', 'response']);
    expect(results[0]?.response).toMatchObject({ token_type: 'Bearer', scope: 'orders.read orders.write' });
    expect(results[1]?.refusal).toEqual({ reason: 'TARGET_REFUSED', error: 'invalid_target' });
    expect(await refusal(unary(exchange, 'exchangeTokens', request))).toEqual(['UNAUTHENTICATED', 'CLIENT_AUTHENTICATION_FAILED']);
  });

  it('describes itself without telling whom it knows', async () => {
    expect(await unary(exchange, 'getMetadata', {})).toEqual({
      issuer: issuerUrl,
      audience: own,
      grant_types_supported: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange', 'refresh_token'],
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['ES256', 'EdDSA', 'RS256'],
      scopes_supported: ['admin.keys', 'admin.read', 'admin.revoke', 'revocation.read'],
      dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'RS256'],
      tls_client_certificate_bound_access_tokens: false,
    });
  });

  it('exchanges, introspects and revokes', async () => {
    const subject = await tokenOf(gateway, orders);
    const type = 'urn:ietf:params:oauth:token-type:access_token';
    const delegated = await unary(exchange, 'exchangeToken', {
      ...authenticate(orders, Date.now),
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      audience: payments,
      subject_token: subject.access_token,
      subject_token_type: type,
    });
    const token = delegated.access_token;
    const introspect = () => unary(exchange, 'introspectToken', { ...authenticate(payments, Date.now), token });
    expect(await introspect()).toMatchObject({ active: true, sub: gateway, client_id: orders, act: [orders] });
    const { acknowledgement } = await unary(exchange, 'revokeToken', { ...authenticate(orders, Date.now), token });
    expect(acknowledgement).toMatchObject({ n: 1, broadcast: 'BROADCAST_SENT' });
    expect(await introspect()).toMatchObject({ active: false, sub: '', scope: '', act: [] });
    const nothing = await unary(exchange, 'revokeToken', { ...authenticate(orders, Date.now), token: 'unknown' });
    expect(nothing.acknowledgement ?? null).toBeNull();
  });

  it('refuses with the status and reason of the table', async () => {
    expect(await refusal(tokenOf(operator, orders))).toEqual(['PERMISSION_DENIED', 'TARGET_REFUSED']);
    expect(await refusal(tokenOf(gateway, orders, 'admin'))).toEqual(['PERMISSION_DENIED', 'SCOPE_REFUSED']);
    expect(await refusal(unary(exchange, 'exchangeToken', { grant_type: 'client_credentials', audience: orders }))).toEqual([
      'UNAUTHENTICATED',
      'CLIENT_AUTHENTICATION_FAILED',
    ]);
    expect(await refusal(unary(exchange, 'exchangeToken', { grant_type: 'password' }))).toEqual([
      'UNIMPLEMENTED',
      'GRANT_TYPE_UNSUPPORTED',
    ]);
    expect(await refusal(unary(exchange, 'exchangeToken', {}))).toEqual(['INVALID_ARGUMENT', 'REQUEST_INVALID']);
  });

  it('refuses a message above 256 KiB', async () => {
    const [code] = await refusal(unary(exchange, 'exchangeToken', { scope: 'x'.repeat(257 * 1024) }));
    expect(code).toBe('RESOURCE_EXHAUSTED');
  });

  it('logs who got what by which rule, and why somebody got nothing, never a token', async () => {
    const { access_token } = await tokenOf(gateway, orders);
    await refusal(tokenOf(operator, orders));
    expect(log.entries).toContainEqual(
      expect.objectContaining({ event: 'token.issued', client_id: gateway, aud: orders, rule: `grant from ${gateway} to ${orders}` }),
    );
    expect(log.entries).toContainEqual(
      expect.objectContaining({
        event: 'call.refused',
        reason: 'TARGET_REFUSED',
        detail: `no grant from ${operator} to this target; asked by ${operator}`,
      }),
    );
    const logged = JSON.stringify(log.entries);
    for (const part of access_token.split('.')) expect(logged).not.toContain(part);
  });

  it('keeps keys, revocations and used assertions over a restart', async () => {
    const before = await unary(exchange, 'getJwks', {});
    const request = { ...authenticate(gateway, Date.now), grant_type: 'client_credentials', audience: orders };
    const { access_token: token } = await unary(exchange, 'exchangeToken', request);
    await unary(exchange, 'revokeToken', { ...authenticate(gateway, Date.now), token });
    await server.close();
    await store.close();
    await start();
    expect(await unary(exchange, 'getJwks', {})).toEqual(before);
    expect(await unary(exchange, 'introspectToken', { ...authenticate(orders, Date.now), token })).toMatchObject({ active: false });
    expect(await refusal(unary(exchange, 'exchangeToken', request))).toEqual(['UNAUTHENTICATED', 'CLIENT_AUTHENTICATION_FAILED']);
  });
});

describe('Admin', () => {
  it('T-33 lets nobody in without a token that has the scope', async () => {
    const target = { targets: [{ kind: 'all', value: '' }] };
    expect(await refusal(unary(admin, 'addRevocation', target))).toEqual(['UNAUTHENTICATED', 'CREDENTIAL_MISSING']);
    expect(await refusal(unary(admin, 'addRevocation', target, await bearer(gateway)))).toEqual([
      'PERMISSION_DENIED',
      'SCOPE_INSUFFICIENT',
    ]);
    expect(await refusal(unary(admin, 'addRevocation', target, await bearer(operator, own, 'admin.read')))).toEqual([
      'PERMISSION_DENIED',
      'SCOPE_INSUFFICIENT',
    ]);
    expect(await refusal(unary(admin, 'addRevocation', target, await bearer(gateway, orders)))).toEqual([
      'UNAUTHENTICATED',
      'AUDIENCE_MISMATCH',
    ]);
    expect((await store.head()).n).toBe(0);
  });

  it('sees a revocation of its own caller at once', async () => {
    const options = await bearer(operator);
    await unary(admin, 'addRevocation', { targets: [{ kind: 'client', value: operator }] }, options);
    expect(await refusal(unary(admin, 'listWorkloads', {}, options))).toEqual(['UNAUTHENTICATED', 'TOKEN_REVOKED']);
    await unary(admin, 'listWorkloads', {}, await bearer(operator));
  });

  it('adds and lists revocations, page by page, events whole', async () => {
    const options = await bearer(operator);
    const add = (...values: string[]) =>
      unary(admin, 'addRevocation', { targets: values.map((value) => ({ kind: 'subject', value })), note: 'why' }, options);
    await add('a');
    await add('b', 'c');
    await add('d');
    const list = async (page_size: number, before = 0) =>
      (await unary(admin, 'listRevocations', { page_size, before }, options)).revocations.map(({ n, target }) => `${n} ${target?.value}`);
    expect(await list(0)).toEqual(['3 d', '2 b', '2 c', '1 a']);
    expect(await list(2)).toEqual(['3 d']); // the second event does not fit whole
    expect(await list(3)).toEqual(['3 d', '2 b', '2 c']);
    expect(await list(1, 3)).toEqual(['2 b', '2 c']); // one that is larger than the page comes whole
    expect(await list(5, 2)).toEqual(['1 a']);
    const [first] = (await unary(admin, 'listRevocations', { page_size: 1 }, options)).revocations;
    expect(first).toMatchObject({ target: { kind: 'subject', value: 'd' }, revoked_by: operator, note: 'why' });
  });

  it.each([
    ['no target', []],
    ['an unknown kind', [{ kind: 'everything', value: 'x' }]],
    ['an empty value', [{ kind: 'subject', value: '' }]],
    ['a value for all', [{ kind: 'all', value: 'x' }]],
    ['half a grant', [{ kind: 'grant', value: gateway }]],
    ['a value with a space (T-30)', [{ kind: 'client', value: `${gateway} ` }]],
    ['a value that is not ASCII (T-30)', [{ kind: 'client', value: 'spiffe://shop.test/gatewаy' }]],
    ['501 targets', Array.from({ length: 501 }, (_, index) => ({ kind: 'subject', value: `s${index}` }))],
  ])('refuses to revoke by %s', async (_, targets) => {
    expect(await refusal(unary(admin, 'addRevocation', { targets }, await bearer(operator)))).toEqual([
      'INVALID_ARGUMENT',
      'REQUEST_INVALID',
    ]);
    expect((await store.head()).n).toBe(0);
  });

  it('suspends a workload: what it holds is dead, it gets nothing, until it is resumed', async () => {
    const { access_token: token } = await tokenOf(gateway, orders);
    const introspect = () => unary(exchange, 'introspectToken', { ...authenticate(orders, Date.now), token });
    const options = await bearer(operator);
    const { acknowledgement } = await unary(admin, 'suspendWorkload', { client_id: gateway, request_id: 'r1', note: 'stolen' }, options);
    expect(acknowledgement).toMatchObject({ n: 1 });
    expect(await introspect()).toMatchObject({ active: false });
    expect(await refusal(tokenOf(gateway, orders))).toEqual(['PERMISSION_DENIED', 'CLIENT_NOT_ALLOWED']);
    const suspended = async () => (await unary(admin, 'listWorkloads', {}, options)).workloads.filter((workload) => workload.suspended);
    expect(await suspended()).toEqual([{ client_id: gateway, suspended: true, audiences: [orders, payments, own].sort() }]);
    await unary(admin, 'resumeWorkload', { client_id: gateway }, options);
    expect(await suspended()).toEqual([]);
    await tokenOf(gateway, orders);
    expect(await introspect()).toMatchObject({ active: false });
    expect(await refusal(unary(admin, 'suspendWorkload', { client_id: 'nobody' }, options))).toEqual([
      'INVALID_ARGUMENT',
      'REQUEST_INVALID',
    ]);
  });
});

describe('RevocationFeed', () => {
  it('gives keys, snapshot, events and checkpoints to every workload, and to nobody else', async () => {
    expect(await refusal(unary(feed, 'getFeedKeys', {}))).toEqual(['UNAUTHENTICATED', 'CREDENTIAL_MISSING']);
    const options = await bearer(payments);
    await unary(admin, 'addRevocation', { targets: [{ kind: 'subject', value: 'a' }] }, await bearer(operator));
    const keys = importJwks((await unary(feed, 'getFeedKeys', {}, options)).keys);
    const { epoch } = await store.head();
    const { events, head } = await unary(feed, 'listEvents', { epoch, from: 1 }, options);
    expect([events.map((event) => openEvent(event, keys, expected).event.n), head]).toEqual([[1], 1]);
    const { checkpoint } = await unary(feed, 'checkpoint', { nonce: 'x' }, options);
    expect(openCheckpoint(checkpoint, keys, expected)).toMatchObject({ n: 1, nonce: 'x', s: 5000 });

    const { metadata } = options;
    const perCall = credentials.createFromMetadataGenerator((_, callback) => callback(null, metadata));
    const channel = credentials.combineChannelCredentials(credentials.createSsl(cert), perCall);
    const authorized = new tokenmesh.RevocationFeed(address(), channel);
    clients.push(authorized);
    const snapshot = await grpcRecord(authorized).snapshot();
    expect(await openSnapshot(snapshot, keys, expected)).toMatchObject({ head: { n: 1 }, entries: { size: 1 } });
  });

  it('tells a verifier whose position it cannot serve to take a snapshot', async () => {
    const options = await bearer(payments);
    await unary(admin, 'addRevocation', { targets: [{ kind: 'subject', value: 'a' }] }, await bearer(operator));
    const { epoch } = await store.head();
    const list = (request: { epoch: string; from: number }) => refusal(unary(feed, 'listEvents', request, options));
    expect(await list({ epoch: 'another', from: 1 })).toEqual(['FAILED_PRECONDITION', undefined]);
    await store.deleteExpired(Date.now() / 1000 + 90_000);
    expect(await list({ epoch, from: 1 })).toEqual(['OUT_OF_RANGE', undefined]);
    expect(await unary(feed, 'listEvents', { epoch, from: 2 }, options)).toEqual({ events: [], head: 1 });
  });

  it('answers with no more events than fit into one message, and all of them page by page', async () => {
    const options = await bearer(operator);
    const large = (event: number) => Array.from({ length: 500 }, (_, i) => ({ kind: 'subject', value: `${event}.${i}`.padEnd(480, 'x') }));
    for (let event = 1; event <= 12; event++) await unary(admin, 'addRevocation', { targets: large(event) }, options);
    const { epoch } = await store.head();
    const pages: number[] = [];
    for (let from = 1; from <= 12; from += pages.at(-1) ?? 0) {
      const { events, head } = await unary(feed, 'listEvents', { epoch, from }, options);
      expect(head).toBe(12);
      pages.push(events.length);
    }
    expect(pages.length).toBeGreaterThan(3);
    expect(pages.reduce((sum, count) => sum + count)).toBe(12);
  });

  it('streams what is stored and then what comes, each once and in order, with checkpoints between', async () => {
    const options = await bearer(operator);
    const add = (value: string) => unary(admin, 'addRevocation', { targets: [{ kind: 'subject', value }] }, options);
    for (const value of ['a', 'b', 'c']) await add(value);
    const { epoch } = await store.head();
    const keys = importJwks((await unary(feed, 'getFeedKeys', {}, options)).keys);
    const stream = feed.sync(options.metadata);
    const seen: number[] = [];
    const done = new Promise<void>((resolve) => {
      let checkpoints = 0;
      stream.on('data', ({ event, checkpoint }) => {
        if (event) seen.push(openEvent(event, keys, expected).event.n);
        if (checkpoint) checkpoints++;
        if (seen.length === 5 && checkpoints > 0) resolve();
      });
    });
    stream.write({ start: { epoch, from: 2 } });
    await Promise.all([add('d'), once(stream, 'metadata')]);
    await add('e');
    await add('f');
    await done;
    expect([...new Set(seen)]).toEqual(seen);
    expect(seen[0]).toBe(2);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    stream.on('error', () => {});
    stream.cancel();
  });

  it('remembers what verifiers report under the identity of their token', async () => {
    const stream = feed.sync((await bearer(payments)).metadata);
    stream.write({ report: { instance: 'i1', fresh_at_ms: 5, n: 3, kids: ['k1'], version: '1.0', path: 'grpc' } });
    stream.end();
    stream.resume();
    await once(stream, 'end');
    const { verifiers } = await unary(admin, 'listVerifiers', {}, await bearer(operator));
    expect(verifiers).toEqual([
      expect.objectContaining({ client_id: payments, instance: 'i1', fresh_at_ms: 5, n: 3, kids: ['k1'], version: '1.0', path: 'grpc' }),
    ]);
  });

  it('tells operators what every method of the mesh needs of its callers, its own included', async () => {
    const joined = await joinMesh(payments);
    joined.server(shopPackage);
    const listed = async (client_id = '') => (await unary(admin, 'listAccessRules', { client_id }, await bearer(operator))).rules;
    await expect
      .poll(() => listed(payments), { timeout: 10_000 })
      .toContainEqual(
        expect.objectContaining({
          ...{ client_id: payments, method: '/shop.v1.Payments/Refund', instances: 1 },
          rule: expect.objectContaining({ scopes: ['payments.refund'], class: 'METHOD_CLASS_CRITICAL', any_caller: false }),
        }),
      );
    const withdraw = {
      client_id: own,
      method: '/tokenmesh.v1.Admin/WithdrawKey',
      rule: expect.objectContaining({ scopes: ['admin.keys'] }),
    };
    expect(await listed()).toContainEqual(expect.objectContaining(withdraw));
    expect(await listed(own)).toContainEqual(expect.objectContaining(withdraw));
    expect(await listed(orders)).toEqual([]);
    // reads only with the scope
    const call = unary(admin, 'listAccessRules', {}, await bearer(operator, own, 'admin.revoke'));
    expect(await refusal(call)).toEqual(['PERMISSION_DENIED', 'SCOPE_INSUFFICIENT']);
  });

  it('keeps a whole mesh fresh, and enforces there what is revoked here', async () => {
    const joined = await joinMesh(payments);
    await joined.ready();
    expect(joined.feed.freshness()).toMatchObject({ state: 'fresh', path: 'grpc' });
    const applied = new Promise<void>((resolve) => joined.feed.onApplied(() => resolve()));
    await unary(admin, 'addRevocation', { targets: [{ kind: 'subject', value: 'a' }] }, await bearer(operator));
    await applied;
    expect(joined.feed.set.find({ kid: 'k', claims: { sub: 'a', aud: 'x', iat: 0, rn: 0 } })).toMatchObject({ kind: 'subject', n: 1 });
  });

  it('tells verifiers on gRPC streams which span published a revocation', async () => {
    const exporter = new InMemorySpanExporter();
    const sdk = new NodeSDK({ spanProcessors: [new SimpleSpanProcessor({ exporter })], metricReaders: [], logRecordProcessors: [] });
    sdk.start();
    onTestFinished(async () => {
      await sdk.shutdown();
      for (const api of [trace, context, propagation]) api.disable();
    });
    const joined = await joinMesh(payments);
    await joined.ready();
    await unary(admin, 'addRevocation', { targets: [{ kind: 'subject', value: 'a' }] }, await bearer(operator));
    const find = (name: string) => exporter.getFinishedSpans().find((span) => span.name === name);
    await expect.poll(() => [find('tokenmesh.revocation.publish'), find('tokenmesh.revocation.apply')]).not.toContain(undefined);
    const [published, applied] = [find('tokenmesh.revocation.publish'), find('tokenmesh.revocation.apply')];
    expect(applied?.attributes).toMatchObject({ 'tokenmesh.revocation.path': 'grpc', 'tokenmesh.revocation.position': 1 });
    expect(applied?.links.map((link) => link.context.spanId)).toEqual([published?.spanContext().spanId]);
    expect(applied?.parentSpanContext).toBeUndefined();
  });
});

describe('a stop', () => {
  it('says NOT_SERVING first, ends the feed’s streams, and finishes', async () => {
    const health = new Client(address(), credentials.createSsl(cert));
    clients.push(health);
    const watch = health.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      healthService.Watch?.requestSerialize as (value: { service: string }) => Buffer,
      healthService.Watch?.responseDeserialize as (bytes: Buffer) => { status: string },
      { service: 'tokenmesh.v1.TokenExchange' },
    );
    const statuses: string[] = [];
    watch.on('data', ({ status: said }) => statuses.push(said));
    watch.on('error', () => {});
    await once(watch, 'data');

    const { epoch } = await store.head();
    const stream = feed.sync((await bearer(payments)).metadata);
    stream.write({ start: { epoch, from: 1 } });
    stream.resume();
    await once(stream, 'metadata');
    const ended = once(stream, 'error');
    const stopping = server.close();
    expect((await ended)[0]).toMatchObject({ code: status.UNAVAILABLE });
    watch.cancel();
    await stopping;
    expect(statuses).toEqual(['SERVING', 'NOT_SERVING']);
  });
});
