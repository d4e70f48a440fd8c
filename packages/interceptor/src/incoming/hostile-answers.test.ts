import { connect as connectHttp2, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { credentials, Metadata, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { googleRpc, tokenmesh } from '@tokenmesh/proto';
import { type OrdersHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { exportJwk, generateSigningKey, signServiceToken } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createExchangeClient } from '../outgoing/exchange-client.ts';
import { unary } from '../outgoing/unary.ts';
import { refusalOf } from '../status.ts';
import { createTestIssuer, gateway, orders, type TestIssuer } from '../test-issuer.ts';
import { callerOf } from './caller.ts';
import { createRemoteKeySet } from './remote-key-set.ts';
import { type ServerInterceptors, serverInterceptors } from './server-interceptor.ts';
import type { TrustedIssuer } from './verify-call.ts';

let issuer: TestIssuer;
let closers: (() => void)[];
/** Whom the handler saw. */
let callers: string[];

beforeEach(() => {
  issuer = createTestIssuer();
  [closers, callers] = [[], []];
});
afterEach(() => {
  for (const close of closers.reverse()) close();
});

async function serve(trusted: TrustedIssuer): Promise<string> {
  const guard: ServerInterceptors = serverInterceptors({ ...trusted, packages: [shopPackage], audience: orders, now: issuer.now });
  const server = new Server({ interceptors: guard.interceptors });
  const handlers: OrdersHandlers = {
    Create(call, callback) {
      callers.push(callerOf(call).sub);
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
  closers.push(() => server.forceShutdown(), guard.close);
  return `127.0.0.1:${port}`;
}

function caller(address: string): (token: string | undefined) => Promise<string> {
  const client = new shop.Orders(address, credentials.createInsecure());
  closers.push(() => client.close());
  return async (token) => {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return await unary(client, 'create', {}, { metadata }).then(
      () => 'OK',
      (error: ServiceError) => refusalOf(error)?.reason ?? String(error),
    );
  };
}

/** How token-exchange answers when it is asked for its keys. */
type Answer = (stream: ServerHttp2Stream) => void;

function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function respond(stream: ServerHttp2Stream, body: Buffer): void {
  stream.on('error', () => {}); // a client that gives up on a large answer
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(body);
}

const key = generateSigningKey('ES256', 'k1');
const other = generateSigningKey('ES256', 'k1');
const { responseSerialize } = tokenmesh.TokenExchange.service.GetJwks;
const jwks = (count: number) => frame(responseSerialize({ keys: Array(count).fill(exportJwk(key)), max_age: 60 }));
const html = Buffer.from('<html><body>502 Bad Gateway</body></html>');
const decided = ['CREDENTIAL_MISSING', 'TOKEN_SIGNATURE_INVALID', 'OK'];
const undecided = ['CREDENTIAL_MISSING', 'KEYS_UNAVAILABLE', 'KEYS_UNAVAILABLE'];

describe('T-43: no token, a bad one and a good one, at once, meet keys that come over the wire', () => {
  let release: () => void;
  let answered: Promise<void>;
  const table: [string, Answer, string[]][] = [
    ['as they should', (stream) => respond(stream, jwks(1)), decided],
    ['late', (stream) => void answered.then(() => respond(stream, jwks(1))), decided],
    ['never, within the time for them', () => {}, undecided],
    ['as an error 500', (stream) => respondHtml(stream, 500), undecided],
    ['as a page', (stream) => respondHtml(stream, 200), undecided],
    ['as no keys', (stream) => respond(stream, jwks(0)), undecided],
    ['as no message', (stream) => respond(stream, Buffer.alloc(0)), undecided],
    ['as noise', (stream) => respond(stream, frame(Buffer.alloc(1000, 0xff))), undecided],
    ['as 10 MB', (stream) => respond(stream, jwks(80_000)), undecided],
    ['as the end of the connection', (stream) => stream.session?.destroy(), undecided],
  ];

  function respondHtml(stream: ServerHttp2Stream, code: number): void {
    stream.respond({ ':status': code, 'content-type': 'text/html' });
    stream.end(html);
  }

  it.each(table)('%s', async (_, answer, expected) => {
    ({ promise: answered, resolve: release } = Promise.withResolvers<void>());
    const sessions = new Set<ServerHttp2Session>();
    const exchange: Http2Server = createServer();
    exchange.on('stream', answer).on('session', (session) => sessions.add(session));
    await new Promise<void>((resolve) => exchange.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      for (const session of sessions) session.destroy();
      exchange.close();
    });
    const client = createExchangeClient({
      address: `127.0.0.1:${(exchange.address() as AddressInfo).port}`, // it listens on TCP
      channelCredentials: credentials.createInsecure(),
      clientOptions: {},
      self: orders,
      issuer: issuer.issuer,
      credential: { authenticate: async (client_id) => ({ client_id }) },
      timeoutMs: 1_000,
      now: Date.now,
    });
    const keys = createRemoteKeySet({ fetch: client.fetchKeys });
    closers.push(client.close, keys.close);
    const call = caller(await serve({ issuer: issuer.issuer, keys, revocation: issuer.revocation }));
    const iat = Math.floor(issuer.nowMs / 1000);
    const claims = {
      iss: issuer.issuer,
      sub: gateway,
      aud: orders,
      iat,
      exp: iat + 60,
      jti: 'j1',
      client_id: gateway,
      scope: 'orders.write',
      txn: 't',
      rn: 0,
    };
    const none = call(undefined).finally(release);
    expect(await Promise.all([none, call(signServiceToken(claims, other)), call(signServiceToken(claims, key))])).toEqual(expected);
    expect(await call(undefined)).toBe('CREDENTIAL_MISSING'); // it is still there
  });
});

describe('T-48: binary metadata that is no base64', () => {
  it('harms no server', async () => {
    const address = await serve(issuer);
    const session = connectHttp2(`http://${address}`);
    closers.push(() => session.destroy());
    for (const value of ['%%%', '=', '====', 'a', '\u00e9', ','.repeat(100), `${'A'.repeat(8_001)}=`]) {
      const stream = session.request({
        ...{ ':method': 'POST', ':path': '/shop.v1.Orders/Create', 'content-type': 'application/grpc', te: 'trailers' },
        ...{ authorization: `Bearer ${issuer.token()}`, 'x-bin': value, 'grpc-trace-bin': value, 'grpc-status-details-bin': value },
      });
      const status = new Promise((resolve) => {
        const note = (headers: Record<string, unknown>) => headers['grpc-status'] !== undefined && resolve(headers['grpc-status']);
        stream.on('response', note).on('trailers', note).resume();
      });
      stream.end(frame(Buffer.alloc(0)));
      expect([value, await status]).toEqual([value, '0']);
    }
    expect(callers).toHaveLength(7);
  });

  it('harms no client: details that cannot be read are none', () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from([0xff]),
      Buffer.from('%%%'),
      Buffer.alloc(8_000, 0x0a),
      Buffer.from([8, 16, 26, 255]),
    ]) {
      const metadata = new Metadata();
      metadata.set('grpc-status-details-bin', bytes);
      expect(refusalOf({ metadata })).toBeUndefined();
    }
  });
});

it('T-49: names of members that a peer chooses do not reach the prototype of anything', () => {
  const info = Object.fromEntries([
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['toString', 'z'],
  ]);
  Object.defineProperty(info, '__proto__', { value: 'x', enumerable: true });
  const value = googleRpc.ErrorInfo.serialize({ reason: 'TOKEN_EXPIRED', domain: 'tokenmesh.dev', metadata: info });
  const details = [{ type_url: 'type.googleapis.com/google.rpc.ErrorInfo', value }];
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', googleRpc.Status.serialize({ code: 16, message: '', details }));
  expect(refusalOf({ metadata })?.reason).toBe('TOKEN_EXPIRED');
  expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
  expect(({} as { readonly polluted?: unknown }).toString).toBe(Object.prototype.toString);
  expect(Object.getPrototypeOf(refusalOf({ metadata })?.info)).toBe(Object.prototype);
});
