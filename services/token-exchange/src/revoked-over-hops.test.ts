// What a revocation of each kind does to tokens that were exchanged over several hops, at a service that verifies them in process.
import { randomUUID } from 'node:crypto';
import { credentials, Metadata, Server, ServerCredentials, type ServerInterceptor, type ServiceError } from '@grpc/grpc-js';
import { accessRules, callerOf, createMesh, type Mesh, privateKeyJwt, refusalOf, unary } from '@tokenmesh/interceptor';
import { type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import type { TargetKind } from '@tokenmesh/revocation';
import { parseJws, parseServiceTokenClaims, type ServiceTokenClaims, tokenTypes } from '@tokenmesh/token';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCertificate } from './clients/test-certificate.ts';
import { openTestDoors, type TestDoors } from './doors/test-doors.ts';
import type { Grant } from './grants/policy.ts';
import { authenticate, gateway, keyOf, operator, orders, own, payments } from './testing.ts';

const scopes = ['payments.charge'];
const hop = (from: string, to: string): Grant => ({ from, to, scopes, delegation: { scopes } });
/** gateway → orders → payments → operator → gateway: the last one sees three actors. And orders → gateway, which has nothing to do with it. */
const hops = [gateway, orders, payments, operator, gateway];
const grants: readonly Grant[] = [
  { ...hop(gateway, orders), refresh: true },
  hop(orders, payments),
  hop(payments, operator),
  hop(operator, gateway),
  hop(orders, gateway),
  { from: operator, to: own, scopes: ['admin.revoke'], delegation: false },
];

let doors: TestDoors;
let mesh: Mesh;
const servers: Server[] = [];
let client: InstanceType<typeof shop.Payments>;
/** Of a server that takes revocation data of no age: it asks token-exchange about every call. */
let askingClient: InstanceType<typeof shop.Payments>;
let admin: { readonly metadata: Metadata };

/** A token, and how a revocation could name it. */
interface Obtained {
  readonly compact: string;
  readonly kid: string;
  readonly claims: ServiceTokenClaims;
}

beforeAll(async () => {
  const tls = createTestCertificate();
  doors = await openTestDoors({ tls, grants });
  mesh = await createMesh({ self: gateway, tokenExchange: doors.address, credential: privateKeyJwt(keyOf(gateway)), ca: tls.cert });
  const charge = { scopes } as const;
  const asking = accessRules(shop.Payments.service, {
    Charge: { ...charge, class: 'METHOD_CLASS_CRITICAL', max_stale_ms: 0 },
    Refund: charge,
    WatchCharges: charge,
  });
  [client, askingClient] = [await serve(mesh.server(shopPackage)), await serve(mesh.server(asking))];
  await mesh.ready();
});

/** A server on a real socket, and a client of it. */
async function serve(interceptors: ServerInterceptor[]): Promise<InstanceType<typeof shop.Payments>> {
  const server = new Server({ interceptors });
  servers.push(server);
  const handlers: PaymentsHandlers = {
    Charge: (call, callback) => callback(null, { charge_id: callerOf(call).jti }),
    Refund: (_, callback) => callback(null, {}),
    WatchCharges: (call) => call.end(),
  };
  server.addService(shop.Payments.service, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return new shop.Payments(`127.0.0.1:${port}`, credentials.createInsecure());
}

afterAll(async () => {
  for (const open of [client, askingClient]) open.close();
  for (const server of servers) server.forceShutdown();
  await mesh.close();
  await doors.close();
});

async function obtain(from: string, audience: string, subject?: Obtained): Promise<Obtained> {
  const type = 'urn:ietf:params:oauth:token-type:access_token';
  const grant = subject
    ? { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token: subject.compact, subject_token_type: type }
    : { grant_type: 'client_credentials' };
  const { access_token } = await unary(doors.exchange, 'exchangeToken', { ...authenticate(from, Date.now), ...grant, audience });
  const { kid, payload } = parseJws(access_token, { typ: tokenTypes.serviceToken });
  return { compact: access_token, kid, claims: parseServiceTokenClaims(payload) };
}

/** A token of the last hop, on behalf of the gateway, with the chain and the session that it began. */
async function overAllHops(): Promise<Obtained> {
  let token: Obtained | undefined;
  for (const [index, from] of hops.slice(0, -1).entries()) token = await obtain(from, hops[index + 1] ?? '', token);
  if (!token) throw new Error('there is a first hop');
  return token;
}

async function present({ compact, claims }: Obtained, to = client): Promise<string> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${compact}`);
  return await unary(to, 'charge', {}, { metadata }).then(
    ({ charge_id }) => (charge_id === claims.jti ? 'admitted' : 'admitted as another token'),
    (error: ServiceError) => refusalOf(error)?.reason ?? String(error),
  );
}

/** Revokes, and waits until the service has it. */
async function revoke(kind: TargetKind, value: string): Promise<number> {
  const heard = new Promise<void>((resolve) => {
    const stop = mesh.feed.onApplied(() => {
      stop();
      resolve();
    });
  });
  admin = await doors.bearer(operator, 'admin.revoke'); // the one before may be revoked
  const request = { targets: [{ kind, value }], request_id: randomUUID() };
  const { acknowledgement } = await unary(doors.admin, 'addRevocation', request, admin);
  await heard;
  return acknowledgement?.n ?? 0;
}

const first = ({ claims: { act } }: Obtained) => act?.act?.act?.sub ?? '';
const middle = ({ claims: { act } }: Obtained) => act?.act?.sub ?? '';
const last = ({ claims: { act } }: Obtained) => act?.sub ?? '';

/** Kinds of target, how one of them names the token of all hops, and whether it covers what others obtained for the same audience, too. */
const kinds: readonly (readonly [string, TargetKind, (token: Obtained) => string, boolean])[] = [
  ['its jti', 'token', ({ claims }) => claims.jti, false],
  ['its subject', 'subject', ({ claims }) => claims.sub, false],
  ['its client', 'client', ({ claims }) => claims.client_id, false],
  ['its session', 'session', ({ claims }) => claims.sid ?? '', false],
  ['its chain', 'chain', ({ claims }) => claims.txn, false],
  ['its first actor', 'actor', first, false],
  ['its middle actor', 'actor', middle, false],
  ['its last actor', 'actor', last, false],
  ['its grant', 'grant', ({ claims }) => `${claims.client_id} ${claims.aud}`, false],
  ['its audience', 'audience', ({ claims }) => claims.aud, true],
  ['everything', 'all', () => '', true],
];

describe('a token that was exchanged over four hops', () => {
  it.each(kinds)(
    'is refused once %s is revoked, others are not, and one that is obtained at once is admitted',
    async (_, kind, nameOf, isForAll) => {
      const [token, another, elses] = [await overAllHops(), await overAllHops(), await obtain(orders, gateway)];
      expect([first(token), middle(token), last(token)]).toEqual([orders, payments, operator]);
      for (const one of [token, another, elses]) expect(await present(one)).toBe('admitted');

      const n = await revoke(kind, nameOf(token));
      const later = [await overAllHops(), await obtain(orders, gateway)];
      expect(await present(token)).toBe('TOKEN_REVOKED');
      const isItsOwn = kind === 'token' || kind === 'session' || kind === 'chain';
      expect(await present(another)).toBe(isItsOwn ? 'admitted' : 'TOKEN_REVOKED');
      expect(await present(elses)).toBe(isForAll ? 'TOKEN_REVOKED' : 'admitted');
      for (const one of later) {
        expect(one.claims.rn).toBeGreaterThanOrEqual(n);
        expect(await present(one)).toBe('admitted');
      }
    },
  );

  it('is refused once its key is revoked, with all that the key signed, and one of the next key is admitted', async () => {
    const [token, elses] = [await overAllHops(), await obtain(orders, gateway)];
    expect(await present(token)).toBe('admitted');
    await revoke('key', token.kid);
    expect([await present(token), await present(elses)]).toEqual(['TOKEN_REVOKED', 'TOKEN_REVOKED']);
    const later = await overAllHops();
    expect(later.kid).not.toBe(token.kid);
    expect(await present(later)).toBe('admitted');
  });
});

describe('a critical method that takes revocation data of no age', () => {
  it('asks about every call: what is revoked is refused from the acknowledgement on, whether it has been delivered or not', async () => {
    for (let round = 0; round < 20; round++) {
      const [token, another] = [await obtain(orders, gateway), await obtain(orders, gateway)];
      expect(await present(token, askingClient)).toBe('admitted');
      await unary(doors.exchange, 'revokeToken', { ...authenticate(orders, Date.now), token: token.compact });
      expect(await present(token, askingClient)).toBe('TOKEN_REVOKED');
      expect(await present(another, askingClient)).toBe('admitted');
    }
  });
});
