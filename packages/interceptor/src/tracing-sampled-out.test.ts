import { credentials, type Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { context, propagation, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { AlwaysOffSampler, InMemorySpanExporter, ParentBasedSampler, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { type OrdersHandlers, shop } from '@tokenmesh/proto/shop';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tracingServerInterceptor } from './incoming/traced-call.ts';
import { tracingClientInterceptor } from './outgoing/traced-call.ts';
import { testMesh } from './testing/index.ts';

const exporter = new InMemorySpanExporter();
const sdk = new NodeSDK({
  sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }),
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
  metricReaders: [],
  logRecordProcessors: [],
});
const server = new Server({ interceptors: [tracingServerInterceptor()] });
const received: Metadata[] = [];
const inHandler: (string | undefined)[] = [];
let orders: InstanceType<typeof shop.Orders>;
let quiet: InstanceType<typeof shop.Orders>;
let address: string;

function note({ metadata }: { readonly metadata: Metadata }): void {
  received.push(metadata);
  inHandler.push(trace.getActiveSpan()?.spanContext().traceId);
}

beforeAll(async () => {
  sdk.start();
  const handlers: Pick<OrdersHandlers, 'Create' | 'Get'> = {
    Create(call, callback) {
      note(call);
      orders.get({}, (error) => callback(error, {}));
    },
    Get(call, callback) {
      note(call);
      callback(null, {});
    },
  };
  server.addService(shop.Orders.service, { ...handlers });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  address = `127.0.0.1:${port}`;
  orders = new shop.Orders(address, credentials.createInsecure(), { interceptors: [tracingClientInterceptor()] });
  const interceptors = [tracingClientInterceptor({ propagateUnsampled: false })];
  quiet = new shop.Orders(address, credentials.createInsecure(), { interceptors });
});

afterAll(async () => {
  orders.close();
  quiet.close();
  server.forceShutdown();
  await sdk.shutdown();
});

it('tells every hop of a trace that is sampled out so, and records nothing', async () => {
  await new Promise<void>((resolve, reject) => void orders.create({}, (error) => (error ? reject(error) : resolve())));
  const parents = received.map((metadata) => String(metadata.get('traceparent')[0]).split('-'));
  const [traceId] = inHandler;
  expect(traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(inHandler).toEqual([traceId, traceId]);
  expect(parents.map(([, trace, , flags]) => ({ trace, flags: Number(flags) }))).toEqual([
    { trace: traceId, flags: TraceFlags.NONE },
    { trace: traceId, flags: TraceFlags.NONE },
  ]);
  expect(exporter.getFinishedSpans()).toEqual([]);
});

it('adds no trace state and no baggage that nobody sent', async () => {
  received.length = 0;
  await new Promise<void>((resolve, reject) => void orders.create({}, (error) => (error ? reject(error) : resolve())));
  expect(received.map((metadata) => [...metadata.get('tracestate'), ...metadata.get('baggage')])).toEqual([[], []]);
});

describe('without propagateUnsampled', () => {
  const baggage = propagation.createBaggage({ tenant: { value: 'blue' } });
  const get = (within = ROOT_CONTEXT) =>
    context.with(propagation.setBaggage(within, baggage), () => {
      received.length = 0;
      return new Promise<void>((resolve, reject) => void quiet.get({}, (error) => (error ? reject(error) : resolve())));
    });
  const carried = () => received.map((metadata) => ({ context: metadata.get('traceparent'), baggage: metadata.get('baggage') }));

  it('carries neither the context nor the baggage of a call that is sampled out', async () => {
    await get();
    expect(carried()).toEqual([{ context: [], baggage: [] }]);
  });

  it('carries both where the call is sampled', async () => {
    const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    await get(trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true }));
    expect(carried()).toEqual([{ context: [expect.stringMatching(`^00-${traceId}-[0-9a-f]{16}-01$`)], baggage: ['tenant=blue'] }]);
  });

  it.each([
    ['all, by default', {}, 1],
    ['none that is sampled out, where it says so', { propagateUnsampled: false }, 0],
  ])('calls of a mesh carry their contexts: %s', async (_, options, contexts) => {
    await using test = testMesh({ trustDomain: 'shop.test' });
    const mesh = await test.meshFor('spiffe://shop.test/gateway', options);
    const client = new shop.Orders(address, mesh.channelCredentials(), mesh.client('spiffe://shop.test/orders'));
    received.length = 0;
    await new Promise<void>((resolve, reject) => void client.get({}, (error) => (error ? reject(error) : resolve())));
    client.close();
    expect(received.map((metadata) => metadata.get('traceparent').length)).toEqual([contexts]);
  });
});
