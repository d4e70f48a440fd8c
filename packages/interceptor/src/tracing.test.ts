import { createHash } from 'node:crypto';
import { credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { type OrdersHandlers, type PaymentsHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { parseJws, tokenTypes } from '@tokenmesh/token';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ServerInterceptors, serverInterceptors } from './incoming/server-interceptor.ts';
import { bearerInterceptor } from './outgoing/client-interceptor.ts';
import { createTokenSource } from './outgoing/token-source.ts';
import { tracingClientInterceptor } from './outgoing/traced-call.ts';
import { createTestIssuer, type TestIssuer } from './test-issuer.ts';
import { rememberedBy } from './tracing.ts';

const exporter = new InMemorySpanExporter();
const sdk = new NodeSDK({ spanProcessors: [new SimpleSpanProcessor({ exporter })], metricReaders: [], logRecordProcessors: [] });

let issuer: TestIssuer;
let guard: ServerInterceptors;
let server: Server;
let orders: InstanceType<typeof shop.Orders>;
let payments: InstanceType<typeof shop.Payments>;
let inHandler: (Span | undefined)[];
let token: string;
let keepOpen: boolean;
let port: number;
let next: () => string;

beforeAll(() => sdk.start());
afterAll(() => sdk.shutdown());

beforeEach(async () => {
  exporter.reset();
  inHandler = [];
  keepOpen = false;
  issuer = createTestIssuer();
  token = issuer.token({ scope: 'orders.read orders.write payments.watch' });
  guard = serverInterceptors({
    packages: [shopPackage],
    audience: 'spiffe://shop.test/orders',
    issuer: issuer.issuer,
    keys: issuer.keys,
    revocation: issuer.revocation,
    now: issuer.now,
  });
  const note = () => inHandler.push(trace.getActiveSpan());
  const ordersHandlers: OrdersHandlers = {
    Create(_, callback) {
      note();
      callback(null, {});
    },
    Get: (_, callback) => callback({ code: status.INTERNAL, details: 'broken' }),
    Upload(call, callback) {
      note();
      call.on('end', () => callback(null, {})).resume();
    },
    Track(call) {
      note();
      call.on('end', () => call.end()).resume();
    },
  };
  const paymentsHandlers: PaymentsHandlers = {
    Charge: (_, callback) => callback(null, {}),
    Refund: (_, callback) => callback(null, {}),
    WatchCharges(call) {
      note();
      if (!keepOpen) call.end();
    },
  };
  server = new Server({ interceptors: guard.interceptors });
  server.addService(shop.Orders.service, ordersHandlers);
  server.addService(shop.Payments.service, paymentsHandlers);
  port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  next = () => token;
  const get = () => ({ compact: next(), tokenType: 'Bearer', expMs: 9e15 });
  const interceptors = [tracingClientInterceptor(), bearerInterceptor('spiffe://shop.test/orders', { get, drop: () => {} })];
  orders = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure(), { interceptors });
  payments = new shop.Payments(`127.0.0.1:${port}`, credentials.createInsecure(), { interceptors });
});

afterEach(() => {
  guard.close();
  orders.close();
  payments.close();
  server.forceShutdown();
});

const kinds: Record<string, () => Promise<void>> = {
  '/Orders/Create': () => new Promise((resolve) => orders.create({}, () => resolve())),
  '/Orders/Upload': () =>
    new Promise((resolve) => {
      const call = orders.upload(() => resolve());
      call.on('error', () => {});
      call.end();
    }),
  '/Orders/Track': () =>
    new Promise((resolve) => {
      const call = orders.track();
      call.on('error', () => {});
      call.on('close', resolve).resume().end();
    }),
  '/Payments/WatchCharges': () =>
    new Promise((resolve) => {
      const call = payments.watchCharges({});
      call.on('error', () => {});
      call.on('close', resolve).resume();
    }),
};

/** The spans of one call once both sides have ended theirs. */
async function spans(count = 2) {
  while (exporter.getFinishedSpans().length < count) await new Promise((resolve) => setImmediate(resolve));
  const finished = exporter.getFinishedSpans();
  const byKind = (kind: SpanKind) => finished.find((span) => span.kind === kind) as ReadableSpan;
  return { client: byKind(SpanKind.CLIENT), server: byKind(SpanKind.SERVER) };
}

describe.each(Object.keys(kinds))('a call of %s', (method) => {
  const call = kinds[method] as () => Promise<void>;

  it('is one trace: the caller, a client span, a server span, and the handler inside it', async () => {
    const caller = trace.getTracer('test').startSpan('caller');
    await context.with(trace.setSpan(context.active(), caller), call);
    const { client, server } = await spans();
    expect(client.parentSpanContext?.spanId).toBe(caller.spanContext().spanId);
    expect(server.parentSpanContext?.spanId).toBe(client.spanContext().spanId);
    expect(inHandler.map((span) => span?.spanContext().spanId)).toEqual([server.spanContext().spanId]);
    for (const span of [client, server]) {
      expect(span.name).toBe(`shop.v1.${method.slice(1)}`);
      expect(span.attributes).toMatchObject({ 'rpc.system.name': 'grpc', 'rpc.method': span.name, 'rpc.status_code': 'OK' });
    }
    expect(server.attributes).toMatchObject({ 'tokenmesh.decision': 'admitted' });
  });

  it('has a server span with the reason when it is refused, which is no error of the server', async () => {
    token = issuer.token({ scope: 'orders.none' });
    await call();
    const { client, server } = await spans();
    expect(server.attributes).toMatchObject({
      'rpc.status_code': 'PERMISSION_DENIED',
      'tokenmesh.decision': 'refused',
      'tokenmesh.reason': 'SCOPE_INSUFFICIENT',
    });
    expect(server.status.code).toBe(SpanStatusCode.UNSET);
    expect(client.status.code).toBe(SpanStatusCode.ERROR);
    expect(client.attributes).toMatchObject({ 'tokenmesh.reason': 'SCOPE_INSUFFICIENT' });
    expect(inHandler).toEqual([]);
  });
});

const hashOf = (jti: unknown) => createHash('sha256').update(String(jti)).digest('hex').slice(0, 16);
const claimsOf = (compact: string) => parseJws(compact, { typ: tokenTypes.serviceToken }).payload;
const create = kinds['/Orders/Create'] as () => Promise<void>;

describe('the decision on a call', () => {
  it('is on the server span with what it was based on, and marked by one event', async () => {
    token = issuer.token({ act: { sub: 'spiffe://shop.test/gateway', act: { sub: 'spiffe://shop.test/edge' } } });
    issuer.freshness = { state: 'fresh', freshAtMs: 0, ageMs: 420, epoch: 'e1', n: 0, path: 'memory' };
    await create();
    const { server } = await spans();
    const own = Object.entries(server.attributes).filter(([name]) => name.startsWith('tokenmesh.'));
    expect(Object.fromEntries(own)).toEqual({
      'tokenmesh.decision': 'admitted',
      'tokenmesh.rule.scope': 'orders.write',
      'tokenmesh.token.id_hash': hashOf(claimsOf(token).jti),
      'tokenmesh.token.audience': 'spiffe://shop.test/orders',
      'tokenmesh.token.kid': 'test-key',
      'tokenmesh.delegation.depth': 2,
      'tokenmesh.cache.hit': false,
      'tokenmesh.revocation.age': 0.42,
    });
    expect(server.events.map(({ name }) => name)).toEqual(['tokenmesh.decision']);
  });

  it('has nothing of what is as usual: a token that was verified before, bound to nothing, of who calls, and fresh revocations', async () => {
    issuer.freshness = { state: 'fresh', freshAtMs: 0, ageMs: 420, epoch: 'e1', n: 0, path: 'memory' };
    await create();
    await create();
    await spans(4);
    const [, { attributes } = { attributes: {} }] = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.SERVER);
    expect(
      Object.keys(attributes)
        .filter((name) => name.startsWith('tokenmesh.'))
        .sort(),
    ).toEqual([
      'tokenmesh.decision',
      'tokenmesh.revocation.age',
      'tokenmesh.rule.scope',
      'tokenmesh.token.audience',
      'tokenmesh.token.id_hash',
      'tokenmesh.token.kid',
    ]);
  });

  it('says whose token it was where several issuers count', async () => {
    const { revocation, keys } = issuer;
    const interceptors = [
      tracingClientInterceptor(),
      bearerInterceptor('spiffe://shop.test/orders', { get: () => ({ compact: token, tokenType: 'Bearer', expMs: 9e15 }), drop: () => {} }),
    ];
    const both = serverInterceptors({
      ...{
        packages: [shopPackage],
        audience: 'spiffe://shop.test/orders',
        issuer: 'https://other.test',
        keys,
        revocation,
        now: issuer.now,
      },
      alsoTrust: [{ audience: 'spiffe://shop.test/orders', issuer: issuer.issuer, keys, revocation }],
    });
    const other = new Server({ interceptors: both.interceptors });
    other.addService(shop.Orders.service, { Create: (_: unknown, callback: (error: null, answer: object) => void) => callback(null, {}) });
    const at = await new Promise<number>((resolve, reject) => {
      other.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    const client = new shop.Orders(`127.0.0.1:${at}`, credentials.createInsecure(), { interceptors });
    await new Promise<void>((resolve) => void client.create({}, () => resolve()));
    client.close();
    other.forceShutdown();
    both.close();
    const { server } = await spans();
    expect(server.attributes).toMatchObject({ 'tokenmesh.decision': 'admitted', 'tokenmesh.issuer': issuer.issuer });
  });

  it('says that the token was verified before, and that revocations were stale', async () => {
    await create();
    issuer.freshness = { state: 'stale', freshAtMs: 0, ageMs: 6_000, epoch: 'e1', n: 0, path: 'memory' };
    await create();
    await spans(4);
    const [first, second] = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.SERVER);
    expect(first?.attributes).toMatchObject({ 'tokenmesh.cache.hit': false });
    for (const name of ['tokenmesh.stale', 'tokenmesh.revocation.state']) expect(first?.attributes).not.toHaveProperty([name]);
    expect(second?.attributes).not.toHaveProperty(['tokenmesh.cache.hit']);
    expect(second?.attributes).toMatchObject({
      'tokenmesh.stale': true,
      'tokenmesh.revocation.state': 'stale',
      'tokenmesh.revocation.age': 6,
    });
  });

  it('names the token that was refused once it was verified, and what it is bound to', async () => {
    const x5t = createHash('sha256').update('a certificate').digest('base64url');
    token = issuer.token({ cnf: { 'x5t#S256': x5t }, net: ['10.0.0.0/8'] });
    await create();
    const { server } = await spans();
    expect(server.attributes).toMatchObject({
      'tokenmesh.decision': 'refused',
      'tokenmesh.reason': 'BINDING_MISMATCH',
      'tokenmesh.token.id_hash': hashOf(claimsOf(token).jti),
      'tokenmesh.token.binding': ['certificate', 'network'],
    });
    expect(JSON.stringify(server.attributes)).not.toContain(x5t);
  });

  it('tells nothing of a token that was not verified', async () => {
    token = createTestIssuer().token();
    await create();
    const { server } = await spans();
    expect(server.attributes).toMatchObject({ 'tokenmesh.decision': 'refused', 'tokenmesh.reason': 'TOKEN_SIGNATURE_INVALID' });
    expect(Object.keys(server.attributes).filter((name) => /token\.|issuer|delegation|cache/.test(name))).toEqual([]);
  });

  it('stays what it was when a stream is ended later, which is another event', async () => {
    keepOpen = true;
    const call = payments.watchCharges({});
    call.on('error', () => {});
    while (inHandler.length === 0) await new Promise((resolve) => setImmediate(resolve));
    issuer.revoke({ kind: 'all', value: '' });
    const { server } = await spans();
    expect(server.attributes).toMatchObject({ 'tokenmesh.decision': 'admitted', 'tokenmesh.reason': 'TOKEN_REVOKED' });
    expect(server.events).toMatchObject([
      { name: 'tokenmesh.decision' },
      { name: 'tokenmesh.stream.ended', attributes: { 'tokenmesh.reason': 'TOKEN_REVOKED' } },
    ]);
  });
});

describe('spans', () => {
  it('of a caller say where the call went', async () => {
    await create();
    const { client } = await spans();
    expect(client.attributes).toMatchObject({ 'server.address': '127.0.0.1', 'server.port': port });
  });

  it('leave nothing in memory of more than a thousand methods or addresses', () => {
    const known = new Map<string, string>();
    const made = Array.from({ length: 2_500 }, (_, index) => rememberedBy(known, `/shop.v1.Orders/${index}`, () => `${index}`));
    expect(made.at(-1)).toBe('2499');
    expect(known.size).toBe(500);
    expect(rememberedBy(known, '/shop.v1.Orders/2499', () => 'made anew')).toBe('2499');
  });

  it('are errors on both sides when the server failed', async () => {
    await new Promise((resolve) => orders.get({}, resolve));
    const { client, server } = await spans();
    for (const span of [client, server]) {
      expect(span.status.code).toBe(SpanStatusCode.ERROR);
      expect(span.attributes).toMatchObject({ 'error.type': 'INTERNAL', 'rpc.status_code': 'INTERNAL' });
    }
  });

  it('of a call that the caller cancels end CANCELLED on both sides', async () => {
    keepOpen = true;
    const call = payments.watchCharges({});
    call.on('error', () => {});
    while (inHandler.length === 0) await new Promise((resolve) => setImmediate(resolve));
    call.cancel();
    const { client, server } = await spans();
    expect(client.attributes['rpc.status_code']).toBe('CANCELLED');
    expect(server.attributes['rpc.status_code']).toBe('CANCELLED');
  });

  it('of an exchange are inside of the call that waits for it', async () => {
    const source = createTokenSource({ exchange: async () => ({ accessToken: token, tokenType: 'Bearer', expiresInSeconds: 300 }) });
    const interceptors = [tracingClientInterceptor(), bearerInterceptor('spiffe://shop.test/orders', source)];
    const client = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure(), { interceptors });
    await new Promise<void>((resolve, reject) => void client.create({}, (error) => (error ? reject(error) : resolve())));
    client.close();
    const { client: call } = await spans(3);
    const exchange = exporter.getFinishedSpans().find(({ name }) => name === 'tokenmesh.token.obtain');
    expect(exchange?.parentSpanContext?.spanId).toBe(call.spanContext().spanId);
  });

  it('of a call that is repeated with another token are one on the side of the caller, which says so, and two on the other', async () => {
    const revoked = token;
    issuer.revoke({ kind: 'all', value: '' });
    const tokens = [revoked, issuer.token({ scope: 'orders.write' })];
    next = () => tokens.shift() ?? token;
    await (kinds['/Orders/Create'] as () => Promise<void>)();
    const { client } = await spans(3);
    const served = exporter.getFinishedSpans().filter((span) => span.kind === SpanKind.SERVER);
    expect(client.attributes).toMatchObject({ 'rpc.status_code': 'OK', 'tokenmesh.retried': true });
    expect(client.events).toMatchObject([
      { name: 'tokenmesh.retry', attributes: { 'tokenmesh.reason': 'TOKEN_REVOKED', 'rpc.method': 'shop.v1.Orders/Create' } },
    ]);
    expect(served.map((span) => span.attributes['tokenmesh.decision'])).toEqual(['refused', 'admitted']);
    expect(served.map((span) => span.parentSpanContext?.spanId)).toEqual(Array(2).fill(client.spanContext().spanId));
    expect(served.map((span) => span.attributes['tokenmesh.retried'])).toEqual([undefined, undefined]);
  });

  it('of a live stream that is ended by a revocation say so', async () => {
    keepOpen = true;
    const call = payments.watchCharges({});
    call.on('error', () => {});
    while (inHandler.length === 0) await new Promise((resolve) => setImmediate(resolve));
    issuer.revoke({ kind: 'all', value: '' });
    const { client, server } = await spans();
    for (const span of [client, server]) {
      expect(span.attributes).toMatchObject({ 'rpc.status_code': 'UNAUTHENTICATED', 'tokenmesh.reason': 'TOKEN_REVOKED' });
    }
  });

  it('hold no byte of the token', async () => {
    await (kinds['/Orders/Create'] as () => Promise<void>)();
    await spans();
    const exported = JSON.stringify(exporter.getFinishedSpans().map((span) => [span.name, span.attributes, span.events, span.status]));
    for (const part of token.split('.')) expect(exported).not.toContain(part);
  });
});
