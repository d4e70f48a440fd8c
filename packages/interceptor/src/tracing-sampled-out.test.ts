import { credentials, type Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { TraceFlags, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { AlwaysOffSampler, InMemorySpanExporter, ParentBasedSampler, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { type OrdersHandlers, shop } from '@tokenmesh/proto/shop';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tracingServerInterceptor } from './incoming/traced-call.ts';
import { tracingClientInterceptor } from './outgoing/traced-call.ts';

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
  orders = new shop.Orders(`127.0.0.1:${port}`, credentials.createInsecure(), { interceptors: [tracingClientInterceptor()] });
});

afterAll(async () => {
  orders.close();
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
