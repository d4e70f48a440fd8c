import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import {
  type Attributes,
  type AttributeValue,
  type Context,
  type ContextManager,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanOptions,
  type TextMapPropagator,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { callerOf, type Mesh, unary } from '@tokenmesh/interceptor';
import { type TestMesh, testMesh } from '@tokenmesh/interceptor/testing';
import { type OrdersClient, type OrdersHandlers, shop, shopPackage } from '@tokenmesh/proto/shop';
import { afterAll, beforeAll, expect, it } from 'vitest';

// What an SDK is made of, as the API of OpenTelemetry describes it, and nothing that its own one has besides: another vendor's.

class OwnSpan implements Span {
  readonly name: string;
  readonly parentId: string | undefined;
  readonly attributes: Attributes;
  readonly events: string[] = [];
  ends = 0;
  readonly #context: SpanContext;

  constructor(name: string, { attributes = {}, root = false }: SpanOptions, within: Context) {
    const parent = root ? undefined : trace.getSpanContext(within);
    this.name = name;
    this.parentId = parent?.spanId;
    this.attributes = { ...attributes };
    const ids = { traceId: parent?.traceId ?? randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') };
    this.#context = { ...ids, traceFlags: TraceFlags.SAMPLED };
  }

  spanContext(): SpanContext {
    return this.#context;
  }
  setAttribute(name: string, value: AttributeValue): this {
    this.attributes[name] = value;
    return this;
  }
  setAttributes(attributes: Attributes): this {
    Object.assign(this.attributes, attributes);
    return this;
  }
  addEvent(name: string): this {
    this.events.push(name);
    return this;
  }
  addLink(): this {
    return this;
  }
  addLinks(): this {
    return this;
  }
  setStatus(): this {
    return this;
  }
  updateName(): this {
    return this;
  }
  recordException(): void {}
  isRecording(): boolean {
    return this.ends === 0;
  }
  end(): void {
    this.ends++;
  }
}

const spans: OwnSpan[] = [];
const tracer: Tracer = {
  startSpan(name: string, options: SpanOptions = {}, within: Context = context.active()) {
    const span = new OwnSpan(name, options, within);
    spans.push(span);
    return span;
  },
  startActiveSpan() {
    throw new Error('no library needs it');
  },
};
const active = new AsyncLocalStorage<Context>();
const manager: ContextManager = {
  active: () => active.getStore() ?? ROOT_CONTEXT,
  with: (within, work, self, ...args) => active.run(within, () => work.apply(self, args)),
  bind: (_, target) => target,
  enable: () => manager,
  disable: () => manager,
};
/** One header of its own: no `traceparent` anywhere. */
const propagator: TextMapPropagator = {
  fields: () => ['own-trace'],
  inject(within, carrier, { set }) {
    const { traceId, spanId } = trace.getSpanContext(within) ?? {};
    if (traceId) set(carrier, 'own-trace', `${traceId}/${spanId}`);
  },
  extract(within, carrier, { get }) {
    const [traceId, spanId] = String(get(carrier, 'own-trace')).split('/');
    return traceId && spanId ? trace.setSpanContext(within, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true }) : within;
  },
};

const id = (name: string) => `spiffe://shop.test/${name}`;
let test: TestMesh;
let server: Server;
let orders: OrdersClient;
const inHandler: (string | undefined)[] = [];

beforeAll(async () => {
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  context.setGlobalContextManager(manager);
  propagation.setGlobalPropagator(propagator);
  test = testMesh({ trustDomain: 'shop.test' });
  const handlers: Pick<OrdersHandlers, 'Get'> = {
    Get(call, callback) {
      callerOf(call);
      inHandler.push(trace.getActiveSpan()?.spanContext().spanId);
      callback(null, {});
    },
  };
  server = new Server({ interceptors: (await test.meshFor(id('orders'))).server(shopPackage) });
  server.addService(shop.Orders.service, { ...handlers });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const gateway: Mesh = await test.meshFor(id('gateway'));
  orders = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure(), gateway.client(id('orders')));
});

afterAll(async () => {
  orders.close();
  server.forceShutdown();
  await test.close();
  for (const api of [trace, context, propagation]) api.disable();
});

/** The spans of the calls that `work` makes, once both sides have ended theirs. */
async function spansOf(path: string, work: () => Promise<unknown>): Promise<{ readonly client: OwnSpan; readonly server: OwnSpan }> {
  spans.length = 0;
  const outer = tracer.startSpan('outer');
  await context.with(trace.setSpan(context.active(), outer), work);
  const ended = () => spans.filter(({ name, ends }) => name === path && ends === 1);
  await expect.poll(ended).toHaveLength(2);
  const [client, inbound] = ended();
  if (!client || !inbound) throw new Error('there are two');
  expect(client.parentId).toBe(outer.spanContext().spanId);
  expect(inbound.parentId).toBe(client.spanContext().spanId);
  return { client, server: inbound };
}

it('a call is one trace with its decision, by whatever tracer, context manager and propagator are registered', async () => {
  const { client, server: inbound } = await spansOf('shop.v1.Orders/Get', () => unary(orders, 'get', { order_id: 'none' }));
  expect(inHandler).toEqual([inbound.spanContext().spanId]);
  expect(client.attributes).toMatchObject({ 'rpc.system.name': 'grpc', 'rpc.status_code': 'OK' });
  expect(inbound.attributes).toMatchObject({
    'rpc.status_code': 'OK',
    'tokenmesh.decision': 'admitted',
    'tokenmesh.token.audience': id('orders'),
    'tokenmesh.revocation.age': expect.any(Number),
  });
  expect(inbound.events).toEqual(['tokenmesh.decision']);
});

it('so is one that is refused', async () => {
  const create = () => expect(unary(orders, 'create', { item: 'tea' }, { scope: 'orders.read' })).rejects.toThrow();
  const { client, server: inbound } = await spansOf('shop.v1.Orders/Create', create);
  expect(inbound.attributes).toMatchObject({ 'tokenmesh.decision': 'refused', 'tokenmesh.reason': 'SCOPE_INSUFFICIENT' });
  expect(client.attributes).toMatchObject({ 'tokenmesh.reason': 'SCOPE_INSUFFICIENT' });
});
