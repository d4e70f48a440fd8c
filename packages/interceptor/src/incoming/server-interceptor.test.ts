import { once } from 'node:events';
import { type Client, credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { type OrdersHandlers, type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusalOf } from '../status.ts';
import { createTestIssuer, gateway, type TestIssuer } from '../test-issuer.ts';
import { type Caller, callerOf } from './caller.ts';
import type { RefusedCall } from './guarded-call.ts';
import { type ServerInterceptors, serverInterceptors } from './server-interceptor.ts';

let issuer: TestIssuer;
let guard: ServerInterceptors;
let server: Server;
let orders: InstanceType<typeof shop.Orders>;
let payments: InstanceType<typeof shop.Payments>;
let seen: Caller[];
let handlerEnds: string[];
let refused: RefusedCall[];
let bearersSeen: number;

function see(call: { metadata: Metadata }): void {
  seen.push(callerOf(call));
  bearersSeen += call.metadata.get('authorization').length;
}

/** Handlers that go on until they are cancelled, so that a test decides how a stream ends. */
const ordersHandlers: OrdersHandlers = {
  Create(call, callback) {
    see(call);
    callback(null, { order: { order_id: 'o1' } });
  },
  Get: (_, callback) => callback(null, {}),
  Upload(call, callback) {
    see(call);
    let created = 0;
    call.on('data', () => created++);
    call.on('end', () => callback(null, { created }));
    call.on('cancelled', () => handlerEnds.push('Upload'));
  },
  Track(call) {
    see(call);
    call.on('data', ({ order_id }) => call.write({ order: { order_id } }));
    call.on('end', () => call.end());
    call.on('cancelled', () => handlerEnds.push('Track'));
  },
};

const paymentsHandlers: PaymentsHandlers = {
  Charge: (_, callback) => callback(null, {}),
  Refund: (_, callback) => callback(null, {}),
  WatchCharges(call) {
    see(call);
    call.write({ charge_id: 'c1' });
    call.on('cancelled', () => handlerEnds.push('WatchCharges'));
  },
};

const scopes = 'orders.read orders.write payments.watch';

type End = { readonly code: status; readonly error: ServiceError | undefined };

function metadataWith(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

/** Each kind of call, run to its end. Streams that are let in end themselves. */
const kinds: Record<string, (token: string | undefined) => Promise<End>> = {
  unary: (token) =>
    new Promise((resolve) => {
      orders.create({}, metadataWith(token), (error) => resolve(end(error)));
    }),
  'client stream': (token) =>
    new Promise((resolve) => {
      const call = orders.upload(metadataWith(token), (error) => resolve(end(error)));
      call.on('error', () => {}); // the callback has it
      call.write({ item: 'x' });
      call.end();
    }),
  'server stream': (token) =>
    new Promise((resolve) => {
      const call = payments.watchCharges({}, metadataWith(token));
      call.on('data', () => {
        call.cancel();
        resolve({ code: status.OK, error: undefined });
      });
      call.on('error', (error: ServiceError) => resolve(end(error)));
    }),
  'bidi stream': (token) =>
    new Promise((resolve) => {
      const call = orders.track(metadataWith(token));
      call.on('data', () => call.end());
      call.on('error', (error: ServiceError) => resolve(end(error)));
      call.on('end', () => resolve({ code: status.OK, error: undefined }));
      call.write({ order_id: 'o1' });
    }),
};

function end(error: ServiceError | null): End {
  return { code: error?.code ?? status.OK, error: error ?? undefined };
}

beforeEach(async () => {
  issuer = createTestIssuer();
  seen = [];
  handlerEnds = [];
  refused = [];
  bearersSeen = 0;
  guard = serverInterceptors({
    packages: [shopPackage],
    audience: 'spiffe://shop.test/orders',
    issuer: issuer.issuer,
    keys: issuer.keys,
    revocation: issuer.revocation,
    now: issuer.now,
    onRefused: (call) => refused.push(call),
  });
  server = new Server({ interceptors: guard.interceptors });
  server.addService(shop.Orders.service, ordersHandlers);
  server.addService(shop.Payments.service, paymentsHandlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  orders = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure());
  payments = new shop.Payments(`127.0.0.1:${port}`, credentials.createInsecure());
});

afterEach(() => {
  guard.close();
  for (const client of [orders, payments] satisfies Client[]) client.close();
  server.forceShutdown();
});

describe.each(Object.keys(kinds))('a %s call', (kind) => {
  const call = (token: string | undefined) => (kinds[kind] as (token: string | undefined) => Promise<End>)(token);

  it('reaches its handler with the verified caller, and without the bearer', async () => {
    expect(await call(issuer.token({ scope: scopes }))).toMatchObject({ code: status.OK });
    expect(seen).toMatchObject([{ sub: gateway, clientId: gateway }]);
    expect(bearersSeen).toBe(0);
    expect(refused).toEqual([]);
  });

  it.each([
    ['without a token', () => undefined, status.UNAUTHENTICATED, 'CREDENTIAL_MISSING', /^Bearer$/],
    ['with something that is no token', () => 'abc', status.UNAUTHENTICATED, 'TOKEN_MALFORMED', /error="invalid_token"/],
    [
      'with a token for another audience',
      () => issuer.token({ aud: gateway, scope: scopes }),
      status.UNAUTHENTICATED,
      'AUDIENCE_MISMATCH',
      /invalid_token/,
    ],
    [
      'with a token that lacks the scope',
      () => issuer.token({ scope: 'orders.none' }),
      status.PERMISSION_DENIED,
      'SCOPE_INSUFFICIENT',
      /error="insufficient_scope".*scope="/,
    ],
    [
      'with a forged token',
      () => createTestIssuer().token({ scope: scopes }),
      status.UNAUTHENTICATED,
      'TOKEN_SIGNATURE_INVALID',
      /invalid_token/,
    ],
  ])('is refused %s, with reason and challenge, and its handler does not run', async (_, token, code, reason, challenge) => {
    const { code: got, error } = await call(token());
    expect(got).toBe(code);
    expect(refusalOf(error)?.reason).toBe(reason);
    expect(error?.metadata.get('www-authenticate')[0]).toMatch(challenge);
    expect(seen).toEqual([]);
    expect(refused.map((one) => one.error.reason)).toEqual([reason]);
  });

  it('is refused with an expired token', async () => {
    const token = issuer.token({ scope: scopes });
    issuer.nowMs += 305_000;
    expect(refusalOf((await call(token)).error)?.reason).toBe('TOKEN_EXPIRED');
  });

  it('is refused with a revoked token', async () => {
    const token = issuer.token({ scope: scopes });
    issuer.revoke({ kind: 'subject', value: gateway });
    expect(refusalOf((await call(token)).error)?.reason).toBe('TOKEN_REVOKED');
  });

  it('holds no byte of the token in what it answers', async () => {
    const token = issuer.token({ aud: gateway });
    const { error } = await call(token);
    const answer = JSON.stringify([error?.details, error?.message, error?.metadata.getMap()]);
    for (const part of token.split('.')) expect(answer).not.toContain(part);
  });
});

/** Opens a live stream of each kind; resolves once its handler runs. */
const openers: Record<string, (token: string) => { readonly ended: Promise<ServiceError> }> = {
  Upload: (token) => {
    const { promise, resolve } = Promise.withResolvers<ServiceError>();
    const call = orders.upload(metadataWith(token), (error) => error && resolve(error));
    call.on('error', () => {});
    call.write({ item: 'x' });
    return { ended: promise };
  },
  WatchCharges: (token) => {
    const call = payments.watchCharges({}, metadataWith(token));
    call.resume();
    return { ended: once(call, 'error').then(([error]) => error) };
  },
  Track: (token) => {
    const call = orders.track(metadataWith(token));
    call.resume();
    call.write({ order_id: 'o1' });
    return { ended: once(call, 'error').then(([error]) => error) };
  },
};

async function handlerRuns(count: number): Promise<void> {
  while (seen.length < count) await new Promise((resolve) => setImmediate(resolve));
}

async function handlerEnded(name: string): Promise<void> {
  while (!handlerEnds.includes(name)) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(Object.keys(openers))('a live %s stream', (name) => {
  const open = (token: string) => (openers[name] as (token: string) => { ended: Promise<ServiceError> })(token);

  it('ends when a revocation covers its token, and its handler sees it', async () => {
    const stream = open(issuer.token({ scope: scopes }));
    await handlerRuns(1);
    issuer.revoke({ kind: 'client', value: gateway });
    const error = await stream.ended;
    expect(error.code).toBe(status.UNAUTHENTICATED);
    expect(refusalOf(error)?.reason).toBe('TOKEN_REVOKED');
    await handlerEnded(name);
  });

  it('ends when its token expires', async () => {
    const exp = Math.floor(issuer.nowMs / 1000) + 1;
    issuer.nowMs = exp * 1000 - 20;
    const stream = open(issuer.token({ scope: scopes, exp }));
    const error = await stream.ended;
    expect(refusalOf(error)?.reason).toBe('TOKEN_EXPIRED');
    await handlerEnded(name);
  });

  it('goes on when a revocation covers somebody else', async () => {
    const other = open(issuer.token({ scope: scopes, client_id: 'spiffe://shop.test/other' }));
    const stream = open(issuer.token({ scope: scopes, txn: 'mine' }));
    await handlerRuns(2);
    issuer.revoke({ kind: 'client', value: 'spiffe://shop.test/other' });
    expect(refusalOf(await other.ended)?.reason).toBe('TOKEN_REVOKED');
    issuer.revoke({ kind: 'chain', value: 'mine' });
    expect(refusalOf(await stream.ended)?.info.method).toContain(name);
  });

  it('ends when revocations were not heard of for longer than its method allows', async () => {
    const stream = open(issuer.token({ scope: scopes }));
    await handlerRuns(1);
    issuer.freshness = { state: 'stale', freshAtMs: 0, ageMs: 900_001, epoch: 'e1', n: 0, path: 'memory' };
    expect(refusalOf(await stream.ended)?.reason).toBe('REVOCATION_STALE');
  });
});

describe('a server', () => {
  it('T-38: refuses a method of a service that was added without naming its package', async () => {
    guard.close();
    server.forceShutdown();
    const { 'shop.v1.Orders': ordersOnly } = shopPackage;
    guard = serverInterceptors({
      packages: [{ 'shop.v1.Orders': ordersOnly } as typeof shopPackage],
      audience: 'spiffe://shop.test/orders',
      issuer: issuer.issuer,
      keys: issuer.keys,
      revocation: issuer.revocation,
      now: issuer.now,
    });
    server = new Server({ interceptors: guard.interceptors });
    server.addService(shop.Payments.service, paymentsHandlers);
    const port = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
    });
    payments.close();
    payments = new shop.Payments(`127.0.0.1:${port}`, credentials.createInsecure());
    const error = await new Promise<ServiceError | null>((resolve) => {
      payments.charge({}, metadataWith(issuer.token({ scope: 'payments.charge' })), resolve);
    });
    expect(refusalOf(error)?.reason).toBe('CALLER_NOT_ALLOWED');
  });

  it('T-40: refuses two credentials in one value', async () => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${issuer.token({ scope: scopes })},Bearer x`);
    const error = await new Promise<ServiceError | null>((resolve) => {
      orders.create({}, metadata, resolve);
    });
    expect(error?.code).toBe(status.INVALID_ARGUMENT);
    expect(refusalOf(error)?.reason).toBe('CREDENTIAL_AMBIGUOUS');
  });
});
