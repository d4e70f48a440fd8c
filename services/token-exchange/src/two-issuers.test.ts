import { credentials, Metadata, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { callerOf, createMesh, type Mesh, privateKeyJwt, type RefusedCall, refusalOf, unary } from '@tokenmesh/interceptor';
import { type OrdersHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from './clients/test-certificate.ts';
import { openTestDoors, type TestDoors } from './doors/test-doors.ts';
import { authenticate, gateway, grants, keyOf, operator, orders } from './testing.ts';

const nextIssuer = 'https://token-exchange.next.test';
const opaque = grants.map((grant) => (grant.to === orders ? { ...grant, format: 'opaque' as const } : grant));

/** A mesh whose tokens for `orders` are opaque, its successor whose tokens are JWTs, and `orders`, which trusts both. */
let before: TestDoors;
let after: TestDoors;
let mesh: Mesh;
let server: Server;
let client: InstanceType<typeof shop.Orders>;
let refused: RefusedCall[];
let seen: string[];

beforeEach(async () => {
  [refused, seen] = [[], []];
  const tls = createTestCertificate();
  [before, after] = await Promise.all([openTestDoors({ tls, grants: opaque }), openTestDoors({ tls, issuer: nextIssuer })]);
  mesh = await createMesh({
    self: orders,
    tokenExchange: before.address,
    credential: privateKeyJwt(keyOf(orders)),
    ca: tls.cert,
    alsoTrust: [{ tokenExchange: after.address, issuer: nextIssuer }],
    onRefused: (call) => refused.push(call),
  });
  server = new Server({ interceptors: mesh.server(shopPackage) });
  const handlers: OrdersHandlers = {
    Create(call, callback) {
      seen.push(callerOf(call).clientId);
      callback(null, {});
    },
    Get: (_, callback) => callback(null, {}),
    Upload: (_, callback) => callback(null, {}),
    Track: (call) => call.end(),
  };
  server.addService(shop.Orders.service, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  client = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure());
  // of the other mesh nobody waits for anything at the start
  const fresh = (async () => {
    for await (const change of mesh.status())
      if (change.type === 'freshness' && change.issuer === nextIssuer && change.state === 'fresh') return;
  })();
  await Promise.all([mesh.ready(), fresh]);
});

afterEach(async () => {
  client.close();
  server.forceShutdown();
  await mesh.close();
  await Promise.all([before.close(), after.close()]);
});

async function tokenFrom(doors: TestDoors, issuer?: string): Promise<string> {
  const request = { ...authenticate(gateway, Date.now, issuer), grant_type: 'client_credentials', audience: orders, scope: '' };
  return (await unary(doors.exchange, 'exchangeToken', request)).access_token;
}

async function create(token: string): Promise<string> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return await unary(client, 'create', {}, { metadata }).then(
    () => 'OK',
    (error: ServiceError) => refusalOf(error)?.reason ?? String(error),
  );
}

async function revokeGateway(doors: TestDoors): Promise<void> {
  const heard = doors === before ? new Promise<void>((resolve) => mesh.feed.onApplied(() => resolve())) : Promise.resolve();
  const audience = doors === before ? undefined : nextIssuer;
  const asked = {
    ...authenticate(operator, Date.now, audience),
    grant_type: 'client_credentials',
    audience: 'spiffe://shop.test/token-exchange',
  };
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${(await unary(doors.exchange, 'exchangeToken', { ...asked, scope: '' })).access_token}`);
  await unary(doors.admin, 'addRevocation', { targets: [{ kind: 'client', value: gateway }], request_id: 'r1' }, { metadata });
  await heard;
}

describe('a service that trusts a mesh and its successor', () => {
  it('takes the opaque tokens of the one and the signed tokens of the other, each until its own issuer revokes it', async () => {
    const [old, next] = [await tokenFrom(before), await tokenFrom(after, nextIssuer)];
    expect(old).toMatch(/^tm_[A-Za-z0-9_-]{43}$/);
    expect(next).toMatch(/^eyJ/);
    expect([await create(old), await create(next)]).toEqual(['OK', 'OK']);
    expect(seen).toEqual([gateway, gateway]);

    await revokeGateway(before);
    expect([await create(old), await create(next)]).toEqual(['TOKEN_REVOKED', 'OK']);
    expect(await create(await tokenFrom(before))).toBe('OK');

    await revokeGateway(after);
    await expect.poll(() => create(next), { timeout: 10_000 }).toBe('TOKEN_REVOKED');
    expect(await create(await tokenFrom(after, nextIssuer))).toBe('OK');
  });

  it('refuses an opaque token that neither has issued, or that was revoked before it came', async () => {
    expect(await create(`tm_${'A'.repeat(43)}`)).toBe('TOKEN_REVOKED');
    const old = await tokenFrom(before);
    await revokeGateway(before);
    expect(await create(old)).toBe('TOKEN_REVOKED');
  });

  it('goes on with opaque tokens that it knows while token-exchange is away, and cannot decide about others', async () => {
    const [known, unknown] = [await tokenFrom(before), await tokenFrom(before)];
    expect(await create(known)).toBe('OK');
    await before.close();
    expect(await create(known)).toBe('OK');
    expect(await create(unknown)).toBe('KEYS_UNAVAILABLE');
    expect(await create(await tokenFrom(after, nextIssuer))).toBe('OK');
    expect(JSON.stringify(refused.map(({ error }) => [error.message, String(error.cause)]))).not.toContain(unknown);
    before = await openTestDoors(); // there is something to close
  });

  it('reports to both what it verifies with and serves', async () => {
    const bearer = await before.bearer(operator, 'admin.read');
    await expect
      .poll(async () => (await unary(before.admin, 'listAccessRules', { client_id: orders }, bearer)).rules.length)
      .toBeGreaterThan(6);
    expect(mesh.describe().issuers.map(({ issuer, kids, revocations }) => [issuer, kids.length > 0, revocations.state])).toEqual([
      ['https://token-exchange.shop.test', true, 'fresh'],
      [nextIssuer, true, 'fresh'],
    ]);
  });
});
