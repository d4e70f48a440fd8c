import { join } from 'node:path';
import { type Client, credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { createMesh, type Mesh, privateKeyJwt, refusalOf, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { type Algorithm, parseJws } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import type { Config } from '../config/config.ts';
import { openSqliteStore } from '../record/sqlite.ts';
import type { Store } from '../record/store.ts';
import { startTokenExchange, type TokenExchangeServer } from '../server.ts';
import {
  authenticate,
  createTestLog,
  encryption,
  grantsWithKeys,
  keyOf,
  newId,
  operator,
  orders,
  own,
  payments,
  temporaryDirectory,
  testConfig,
} from '../testing.ts';

const { cert, key } = createTestCertificate();
const day = 86_400_000;
/** Of a test and of what it waits for, but for the longest. */
const timeout = 20_000;
let directory: ReturnType<typeof temporaryDirectory>;
let store: Store;
let server: TokenExchangeServer;
let paymentsServer: Server;
let log: ReturnType<typeof createTestLog>;
let verifier: Mesh;
let exchange: InstanceType<typeof tokenmesh.TokenExchange>;
let admin: InstanceType<typeof tokenmesh.Admin>;
let charges: InstanceType<typeof shop.Payments>;
let clients: Client[];

/** A token-exchange, and payments, which verifies its tokens in a mesh of its own. */
async function start(keys: Partial<Config['keys']> = {}): Promise<void> {
  const record = join(directory.path, 'record.db');
  store = await openSqliteStore(record, { newId });
  server = await startTokenExchange({
    config: testConfig({
      tls: { cert, key },
      store: { sqlite: record },
      keys: { alg: 'ES256', rotateEveryMs: day, activationTimeoutMs: 4000, ...keys },
      grants: grantsWithKeys,
    }),
    store,
    encryption,
    log,
  });
  const address = `localhost:${server.port}`;
  verifier = await createMesh({ self: payments, tokenExchange: address, credential: privateKeyJwt(keyOf(payments)), ca: cert });
  paymentsServer = new Server({ interceptors: verifier.server(shopPackage) });
  const unused = (): never => {
    throw new Error('nobody calls this');
  };
  const handlers: PaymentsHandlers = {
    Charge: (call, callback) => callback(null, { charge_id: call.request.order_id, chain: [] }),
    Refund: unused,
    WatchCharges: unused,
  };
  paymentsServer.addService(shop.Payments.service, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    const tls = ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }], false);
    paymentsServer.bindAsync('127.0.0.1:0', tls, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const tls = credentials.createSsl(cert);
  exchange = new tokenmesh.TokenExchange(address, tls);
  admin = new tokenmesh.Admin(address, tls);
  charges = new shop.Payments(`localhost:${port}`, tls);
  clients = [exchange, admin, charges];
  await verifier.ready();
}

beforeEach(() => {
  directory = temporaryDirectory();
  log = createTestLog();
});
afterEach(async () => {
  for (const client of clients) client.close();
  await verifier.close();
  paymentsServer.forceShutdown();
  await server.close();
  await store.close();
  directory.remove();
});

const tokenOf = async (clientId: string, audience: string): Promise<string> => {
  const request = { ...authenticate(clientId, Date.now), grant_type: 'client_credentials', audience };
  return (await unary(exchange, 'exchangeToken', request)).access_token;
};
const bearer = (token: string): { metadata: Metadata } => {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return { metadata };
};
/** What a call with this token comes to: `OK`, or its status and reason. */
async function charge(token: string): Promise<string> {
  try {
    await unary(charges, 'charge', { order_id: 'o', amount_cents: 1 }, bearer(token));
    return 'OK';
  } catch (error) {
    const refused = error as ServiceError; // unary rejects with nothing else
    return `${status[refused.code]} ${refusalOf(refused)?.reason}`;
  }
}
const asOperator = async () => bearer(await tokenOf(operator, own));
const kidOf = (token: string) => parseJws(token, { typ: 'at+jwt' }).kid;
const activations = () => log.entries.filter(({ event, purpose }) => event === 'key.activated' && purpose === 'token').length;
const listed = async () => (await unary(admin, 'listKeys', {}, await asOperator())).keys;
const kidsIn = async (state: string, purpose = 'token') =>
  (await listed()).filter((one) => one.state === state && one.purpose === purpose).map(({ kid }) => kid);

/** Calls without end, each with a token that was issued for it; the answer counts outcomes. */
function callWithFreshTokens() {
  const outcomes = new Map<string, number>();
  const kids = new Set<string>();
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      const token = await tokenOf(orders, payments);
      kids.add(kidOf(token));
      const outcome = await charge(token);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  })();
  return {
    outcomes,
    kids,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

describe('keys that rotate under calls', () => {
  it('F11 lets no call fail in 40 rotations, each of which waits for the verifier', { timeout: 90_000 }, async () => {
    await start({ rotateEveryMs: 200 });
    const old = await tokenOf(orders, payments);
    const calls = callWithFreshTokens();
    await vi.waitUntil(() => activations() >= 40, { timeout: 90_000 });
    await calls.stop();
    expect([...calls.outcomes.keys()]).toEqual(['OK']);
    expect(calls.kids.size).toBeGreaterThanOrEqual(35);
    expect(await charge(old)).toBe('OK');
    expect(log.entries.filter(({ event }) => event === 'key.activation_forced')).toEqual([]);
    // the feed's keys rotated as well, and the verifier still follows
    expect(log.entries.some(({ event, purpose }) => event === 'key.activated' && purpose === 'feed')).toBe(true);
    expect(verifier.feed.freshness().state).toBe('fresh');
  });
});

it('an activation waits for a verifier that reports without the key, says so, and goes on when it reports it', {
  timeout,
}, async () => {
  await start();
  const feed = new tokenmesh.RevocationFeed(`localhost:${server.port}`, credentials.createSsl(cert));
  clients.push(feed);
  const [[active], [next]] = [await kidsIn('active'), await kidsIn('published')] as [[string], [string]];
  const sync = feed.sync(bearer(await tokenOf(orders, own)).metadata);
  sync.on('error', () => {}); // the server ends it with itself
  const report = (kids: string[]) =>
    sync.write({ report: { instance: 'lagging', fresh_at_ms: 0, n: 0, kids, version: '1', path: 'grpc' } });
  const awaited = async () => (await listed()).find(({ kid }) => kid === next)?.awaited ?? [];
  report([active]);
  await vi.waitUntil(async () => (await awaited()).includes(`${orders} lagging`), { timeout });
  await unary(admin, 'rotateKeys', { purpose: 'token' }, await asOperator());
  expect(await kidsIn('active')).toEqual([active]);
  report([active, next]);
  await vi.waitUntil(async () => (await kidsIn('active'))[0] === next, { timeout });
  expect(log.entries.filter(({ event }) => event === 'key.activation_forced')).toEqual([]);
});

describe('an emergency', () => {
  it('refuses the tokens of the withdrawn key and only those, and no call with a new token fails', { timeout }, async () => {
    await start();
    const stolen = await tokenOf(orders, payments);
    // rotated once, so that there is an innocent key beside the withdrawn one
    const { active_kid, next_kid } = await unary(admin, 'rotateKeys', { purpose: 'token' }, await asOperator());
    await vi.waitUntil(async () => (await kidsIn('active'))[0] === next_kid, { timeout });
    const innocent = await tokenOf(orders, payments);
    expect([kidOf(stolen), kidOf(innocent)]).toEqual([active_kid, next_kid]);
    expect([await charge(stolen), await charge(innocent)]).toEqual(['OK', 'OK']);

    const calls = callWithFreshTokens();
    await unary(admin, 'withdrawKey', { kid: active_kid, note: 'stolen' }, await asOperator());
    await vi.waitUntil(async () => (await charge(stolen)) !== 'OK', { timeout });
    expect(await charge(stolen)).toBe('UNAUTHENTICATED TOKEN_REVOKED');
    expect(await charge(innocent)).toBe('OK');
    await calls.stop();
    expect([...calls.outcomes.keys()]).toEqual(['OK']);
    expect((await unary(exchange, 'getJwks', {})).keys.map(({ kid }) => kid)).not.toContain(active_kid);
  });

  it('of the key that signs makes the announced one sign at once, whether it was withdrawn or revoked', { timeout }, async () => {
    await start();
    await vi.waitUntil(async () => (await kidsIn('published')).length === 1, { timeout });
    const [first, second] = [...(await kidsIn('active')), ...(await kidsIn('published'))] as [string, string];
    const { acknowledgement, active_kid } = await unary(admin, 'withdrawKey', { kid: first, request_id: 'r1' }, await asOperator());
    expect(active_kid).toBe(second);
    expect(kidOf(await tokenOf(orders, payments))).toBe(second);
    const again = await unary(admin, 'withdrawKey', { kid: first, request_id: 'r1' }, await asOperator());
    expect([again.acknowledgement?.n, again.active_kid]).toEqual([acknowledgement?.n, second]);

    await vi.waitUntil(async () => (await kidsIn('published')).length === 1, { timeout });
    const [third] = await kidsIn('published');
    await unary(admin, 'addRevocation', { targets: [{ kind: 'key', value: second }] }, await asOperator());
    const token = await tokenOf(orders, payments);
    expect(kidOf(token)).toBe(third);
    expect((await kidsIn('withdrawn')).sort()).toEqual([first, second].sort());
    await vi.waitUntil(async () => (await charge(token)) === 'OK', { timeout });
  });

  it('of the feed key leaves verifiers on the announced one, and late ones find a snapshot', { timeout }, async () => {
    await start();
    await vi.waitUntil(async () => (await kidsIn('published', 'feed')).length === 1, { timeout });
    const revoke = async (value: string) =>
      await unary(admin, 'addRevocation', { targets: [{ kind: 'subject', value }] }, await asOperator());
    await revoke('spiffe://shop.test/somebody');
    const [[active], [next]] = [await kidsIn('active', 'feed'), await kidsIn('published', 'feed')];
    const withdrawal = await unary(admin, 'withdrawKey', { kid: active ?? '' }, await asOperator());
    expect(withdrawal.active_kid).toBe(next);
    const n = withdrawal.acknowledgement?.n ?? 0;
    const isCurrent = ({ feed }: Mesh) => {
      const freshness = feed.freshness();
      return freshness.state === 'fresh' && freshness.n >= n;
    };
    // what the withdrawn key signed is gone: a verifier that needs one of those events is sent for a snapshot
    const kept = await store.events(1, 10);
    expect(kept.map((event) => [event.n, parseJws(event.compact, { typ: 'secevent+jwt', maxBytes: 65_536 }).kid])).toEqual([[n, next]]);
    await vi.waitUntil(() => isCurrent(verifier), { timeout });
    const address = `localhost:${server.port}`;
    await using late = await createMesh({ self: orders, tokenExchange: address, credential: privateKeyJwt(keyOf(orders)), ca: cert });
    await late.ready();
    expect(isCurrent(late)).toBe(true);
    const revoked = { kid: 'k', claims: { sub: 'spiffe://shop.test/somebody', aud: 'x', iat: 0, rn: 0 } };
    expect(late.feed.set.find(revoked)).toMatchObject({ kind: 'subject' });
  });
});

describe('the Admin API of keys', () => {
  it('lists every key with its state and due time, and no private half', async () => {
    await start();
    await vi.waitUntil(async () => (await listed()).length === 4, { timeout });
    const keys = await listed();
    expect(keys.map(({ purpose, state }) => `${purpose} ${state}`).sort()).toEqual([
      'feed active',
      'feed published',
      'token active',
      'token published',
    ]);
    for (const one of keys) {
      expect(one.rotation_due_ms).toBe(one.state === 'active' ? one.changed_at_ms + day : 0);
      expect(Object.keys(one).sort()).toEqual(['alg', 'awaited', 'changed_at_ms', 'kid', 'purpose', 'rotation_due_ms', 'state']);
    }
  });

  it('needs admin.keys to rotate and to withdraw, and knows what it is asked for', async () => {
    await start();
    const refused = (call: Promise<unknown>) =>
      call.then(
        () => 'OK',
        (error: ServiceError) => refusalOf(error)?.reason,
      );
    const unscoped = bearer(await tokenOf(orders, own));
    expect(await refused(unary(admin, 'listKeys', {}, unscoped))).toBe('SCOPE_INSUFFICIENT');
    expect(await refused(unary(admin, 'rotateKeys', { purpose: 'token' }, unscoped))).toBe('SCOPE_INSUFFICIENT');
    expect(await refused(unary(admin, 'withdrawKey', { kid: 'x' }, unscoped))).toBe('SCOPE_INSUFFICIENT');
    expect(await refused(unary(admin, 'rotateKeys', { purpose: 'tokens' }, await asOperator()))).toBe('REQUEST_INVALID');
    expect(await refused(unary(admin, 'withdrawKey', { kid: 'unknown' }, await asOperator()))).toBe('REQUEST_INVALID');
  });

  it.each(['EdDSA', 'RS256'] satisfies Algorithm[])('signs tokens with %s that verifiers take', async (alg) => {
    await start({ alg });
    expect((await listed()).find(({ state, purpose }) => state === 'active' && purpose === 'token')?.alg).toBe(alg);
    expect(await charge(await tokenOf(orders, payments))).toBe('OK');
  });
});
