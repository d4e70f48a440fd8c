import {
  credentials,
  type Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type Context, context, INVALID_SPAN_CONTEXT, propagation, ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { type OrdersHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tracingServerInterceptor } from './incoming/traced-call.ts';
import { createMesh } from './mesh/mesh.ts';
import { createExchangeClient } from './outgoing/exchange-client.ts';
import { tracingClientInterceptor } from './outgoing/traced-call.ts';
import { clientCertificate } from './outgoing/workload-credential.ts';
import { type TestMesh, testMesh } from './testing/index.ts';

const exporter = new InMemorySpanExporter();
const processor = new SimpleSpanProcessor({ exporter });
const sdk = new NodeSDK({ spanProcessors: [processor], metricReaders: [], logRecordProcessors: [] });
beforeAll(() => sdk.start());
afterAll(() => sdk.shutdown());

const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
const within = (traceFlags: TraceFlags) => trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });

let chance: number;
let draws: number;
/** What each handler was reached with, in the order of the hops. */
let hops: { readonly metadata: Metadata; readonly active: Context }[];
let close: (() => void)[];

beforeEach(() => {
  exporter.reset();
  [chance, draws, hops, close] = [0.5, 0, [], []];
});
afterEach(() => {
  for (const end of close) end();
});

const random = () => {
  draws++;
  return chance;
};
const bare = 'no interceptor';

function clientOf(port: number, traceRatio: number | undefined | typeof bare) {
  const interceptors = traceRatio === bare ? [] : [tracingClientInterceptor({ traceRatio, random })];
  const client = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure(), { interceptors });
  close.push(() => client.close());
  return client;
}

/** Of the program: runs what comes after it within a trace that is not the call's. */
const inAnotherTrace: ServerInterceptor = (_, call) => {
  const run = (next: () => void) => context.with(within(TraceFlags.SAMPLED), next);
  return new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMetadata: (metadata, pass) => run(() => pass(metadata)),
        onReceiveMessage: (message, pass) => run(() => pass(message)),
        onReceiveHalfClose: (pass) => run(pass),
      }),
  });
};

/** A server whose `Create` calls its own `Get`. */
async function serve(traceRatio: number | undefined, ...outer: ServerInterceptor[]): Promise<number> {
  const server = new Server({ interceptors: [...outer, tracingServerInterceptor({ traceRatio, random })] });
  const handlers: Pick<OrdersHandlers, 'Create' | 'Get'> = {
    Create({ metadata }, callback) {
      hops.push({ metadata, active: context.active() });
      onward.get({}, (error) => callback(error, {}));
    },
    Get({ metadata }, callback) {
      hops.push({ metadata, active: context.active() });
      callback(null, {});
    },
  };
  server.addService(shop.Orders.service, { ...handlers });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  close.push(() => server.forceShutdown());
  const onward = clientOf(port, traceRatio);
  return port;
}

async function create(port: number, traceRatio: number | undefined | typeof bare, active = ROOT_CONTEXT): Promise<void> {
  const client = clientOf(port, traceRatio);
  await context.with(
    active,
    () => new Promise<void>((resolve, reject) => void client.create({}, (error) => (error ? reject(error) : resolve()))),
  );
}

const headers = () => hops.map(({ metadata }) => metadata.get('traceparent').map(String));
const carried = () => hops.map(({ metadata }) => [...metadata.get('traceparent'), ...metadata.get('baggage')].map(String));

/** The spans that were made: the SDK exports the first ones late. */
async function finished(): Promise<readonly ReadableSpan[]> {
  await processor.forceFlush();
  return exporter.getFinishedSpans();
}

/** The kinds of the spans of each trace, once there are so many spans. */
async function traces(count: number): Promise<Record<string, SpanKind[]>> {
  await expect.poll(() => exporter.getFinishedSpans()).toHaveLength(count);
  const byTrace = Object.groupBy(exporter.getFinishedSpans(), (span) => span.spanContext().traceId);
  return Object.fromEntries(Object.entries(byTrace).map(([id, spans = []]) => [id, spans.map(({ kind }) => kind).sort()]));
}

const { CLIENT, SERVER } = SpanKind;

describe('a call in no trace', () => {
  it('has no span, no header and no context when it is not chosen, at no hop', async () => {
    await create(await serve(0), 0.01);
    expect(headers()).toEqual([[], []]);
    expect(hops.map(({ active }) => active)).toEqual([ROOT_CONTEXT, ROOT_CONTEXT]);
    expect(await finished()).toEqual([]);
  });

  it('begins one with every hop in it when it is chosen', async () => {
    const port = await serve(0);
    chance = 0.009;
    await create(port, 0.01);
    expect(Object.values(await traces(4))).toEqual([[SERVER, SERVER, CLIENT, CLIENT]]);
    expect(headers()).toEqual([[expect.stringMatching(/-01$/)], [expect.stringMatching(/-01$/)]]);
  });

  it('begins one at the server when it came from who traces nothing, and is chosen there', async () => {
    const port = await serve(0.01);
    chance = 0.009;
    await create(port, bare);
    expect(Object.values(await traces(3))).toEqual([[SERVER, SERVER, CLIENT]]);
    expect(headers()[0]).toEqual([]);
  });

  it('begins one within a span that nobody made', async () => {
    await create(await serve(0), 1, trace.setSpan(ROOT_CONTEXT, trace.wrapSpanContext(INVALID_SPAN_CONTEXT)));
    expect(Object.values(await traces(4))).toEqual([[SERVER, SERVER, CLIENT, CLIENT]]);
  });

  it('is never chosen by 0, and always by 1', async () => {
    chance = 0;
    await create(await serve(0), 0);
    expect(await finished()).toEqual([]);
    chance = 1 - Number.EPSILON;
    await create(await serve(1), 1);
    expect(Object.values(await traces(4))).toEqual([[SERVER, SERVER, CLIENT, CLIENT]]);
  });

  it('carries its baggage to every hop all the same', async () => {
    const baggage = propagation.createBaggage({ tenant: { value: 'blue' } });
    await create(await serve(0.01), 0.01, propagation.setBaggage(ROOT_CONTEXT, baggage));
    expect(carried()).toEqual([['tenant=blue'], ['tenant=blue']]);
    expect(hops.map(({ active }) => propagation.getBaggage(active)?.getEntry('tenant')?.value)).toEqual(['blue', 'blue']);
    expect(await finished()).toEqual([]);
  });

  it('reaches its handler in an empty context, whatever the one was in which it came', async () => {
    await create(await serve(0, inAnotherTrace), bare);
    expect(hops.map(({ active }) => active)).toEqual([ROOT_CONTEXT, ROOT_CONTEXT]);
    expect(await finished()).toEqual([]);
  });

  it.each([
    ['nothing', ROOT_CONTEXT],
    ['baggage', propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage({ tenant: { value: 'blue' } }))],
  ])('is decided on where it comes in, and not again for what its handler calls: with %s', async (_, active) => {
    const port = await serve(0.5);
    await create(port, 1, active);
    expect(Object.values(await traces(4))).toHaveLength(1);
    exporter.reset();
    draws = 0;
    await create(port, 0, active);
    expect(draws).toBe(['the caller', 'the first server', 'the second'].length);
    expect(await finished()).toEqual([]);
  });
});

describe('a call within a trace', () => {
  it('takes part in it when it is sampled, whatever the ratio', async () => {
    await create(await serve(0), 0, within(TraceFlags.SAMPLED));
    expect(await traces(4)).toEqual({ [traceId]: [SERVER, SERVER, CLIENT, CLIENT] });
  });

  it('has no span when it is not sampled, whatever the chance, and its context travels as it is', async () => {
    chance = 0;
    await create(await serve(1), 1, within(TraceFlags.NONE));
    expect(headers()).toEqual([[`00-${traceId}-${spanId}-00`], [`00-${traceId}-${spanId}-00`]]);
    expect(hops.map(({ active }) => trace.getSpanContext(active))).toMatchObject([
      { traceId, spanId },
      { traceId, spanId },
    ]);
    expect(await finished()).toEqual([]);
  });
});

it.each([
  ['a span by default', {}, ['tokenmesh.v1.TokenExchange/GetJwks']],
  ['none by 0', { traceRatio: 0 }, []],
])("a workload's own call to token-exchange has %s, though nobody answers it", async (_, tracing, names) => {
  const client = createExchangeClient({
    ...{
      address: '127.0.0.1:1',
      channelCredentials: credentials.createInsecure(),
      clientOptions: {},
      timeoutMs: 1_000,
      now: Date.now,
      tracing,
    },
    ...{ self: 'spiffe://shop.test/gateway', issuer: 'https://token-exchange.shop.test', credential: clientCertificate() },
  });
  close.push(() => client.close());
  await expect(client.fetchKeys()).rejects.toMatchObject({ code: status.UNAVAILABLE });
  expect((await finished()).map(({ name }) => name)).toEqual(names);
});

it.each([
  ['spans by default', {}, true],
  ['none by 0', { traceRatio: 0 }, false],
])('what a mesh asks of token-exchange over the network has %s, though nobody answers it', async (_, options, expected) => {
  const usual = { self: 'spiffe://shop.test/gateway', tokenExchange: '127.0.0.1:1', credential: clientCertificate() };
  const mesh = await createMesh({ ...usual, ...options });
  close.push(() => void mesh.close());
  const changes = Array.fromAsync(mesh.status());
  mesh.client('spiffe://shop.test/orders');
  for await (const change of mesh.status()) if (change.type === 'token') break;
  await mesh.close();
  expect(await changes).toContainEqual(expect.objectContaining({ type: 'token', change: 'failed' }));
  expect((await finished()).length > 0).toBe(expected);
});

describe('a mesh', () => {
  let test: TestMesh;
  beforeEach(async () => {
    test = testMesh({ trustDomain: 'shop.test' });
    close.push(() => void test[Symbol.asyncDispose]());
  });

  /** A call from one service of the mesh to another; resolves with its code, and the names of the spans that there are. */
  async function call(traceRatio: number | undefined, active = ROOT_CONTEXT, isRefused = false) {
    const options = traceRatio === undefined ? {} : { traceRatio };
    const gateway = await test.meshFor('spiffe://shop.test/gateway', options);
    const orders = await test.meshFor('spiffe://shop.test/orders', options);
    const server = new Server({ interceptors: orders.server(shopPackage) });
    server.addService(shop.Orders.service, { Get: (_: unknown, callback: (error: null, answer: object) => void) => callback(null, {}) });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    const audience = isRefused ? 'spiffe://shop.test/payments' : 'spiffe://shop.test/orders';
    const client = new shop.Orders(`127.0.0.1:${port}`, gateway.channelCredentials(), gateway.client(audience));
    const error = await context.with(active, () => new Promise<ServiceError | null>((resolve) => void client.get({}, resolve)));
    client.close();
    server.forceShutdown();
    return { code: error?.code ?? status.OK, spans: (await finished()).map(({ name }) => name) };
  }
  const name = 'shop.v1.Orders/Get';

  it('has a span of every call at both ends, and of its exchanges, by default', async () => {
    const { spans } = await call(undefined);
    expect(spans.filter((one) => one === name)).toHaveLength(2);
    expect(spans).toContain('tokenmesh.token.obtain');
  });

  it('has none by 0, of its exchanges neither', async () => {
    expect(await call(0)).toEqual({ code: status.OK, spans: [] });
  });

  it('has none of a call by 0 that it refuses', async () => {
    expect(await call(0, ROOT_CONTEXT, true)).toEqual({ code: status.UNAUTHENTICATED, spans: [] });
  });

  it('takes part in traces of others by 0, at both ends', async () => {
    const { spans } = await call(0, within(TraceFlags.SAMPLED));
    expect(spans.filter((one) => one === name)).toHaveLength(2);
  });

  it.each([-0.01, 1.01, Number.NaN])('is not made with a ratio of %s', async (traceRatio) => {
    await expect(test.meshFor('spiffe://shop.test/gateway', { traceRatio })).rejects.toThrow(new TypeError('traceRatio must be 0 to 1'));
  });
});
