import * as grpc from '@grpc/grpc-js';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { otlpTrace } from '@tokenmesh/proto/otlp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTelemetry, type Telemetry } from '../src/telemetry.ts';
import { type OtlpReceiver, startOtlpReceiver } from './otlp-receiver.ts';

let receiver: OtlpReceiver;
beforeEach(async () => {
  receiver = await startOtlpReceiver();
});
afterEach(() => receiver.close());

test('reads what OpenTelemetry’s own exporter sends', async () => {
  const telemetry: Telemetry = await startTelemetry('orders', receiver.endpoint);
  const tracer = trace.getTracer('test');
  const parent = tracer.startSpan('Create', { kind: SpanKind.SERVER, startTime: 1_700_000_000_000 }, ROOT_CONTEXT);
  const child = tracer.startSpan('Charge', { kind: SpanKind.CLIENT }, trace.setSpan(ROOT_CONTEXT, parent));
  child.setAttributes({ 'rpc.status_code': 'OK', tries: 2, share: 0.5, cached: true, scopes: ['a', 'b'] });
  child.addEvent('refused', { reason: 'TOKEN_EXPIRED' });
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'no' });
  child.end();
  parent.end(1_700_000_000_250);
  await telemetry.shutdown();

  const spans = await receiver.trace(parent.spanContext().traceId, (found) => found.length === 2);
  const [charge, create] = spans.toSorted((a, b) => a.name.localeCompare(b.name));
  expect(create).toMatchObject({ service: 'orders', kind: 'server', parentSpanId: '', status: 'unset' });
  expect((create?.endMs ?? 0) - (create?.startMs ?? 0)).toBeCloseTo(250, 2);
  expect(charge).toMatchObject({
    parentSpanId: create?.spanId,
    kind: 'client',
    status: 'error',
    statusMessage: 'no',
    attributes: { 'rpc.status_code': 'OK', tries: 2, share: 0.5, cached: true, scopes: ['a', 'b'] },
    events: [{ name: 'refused', attributes: { reason: 'TOKEN_EXPIRED' } }],
  });
});

test('waits for the spans of a trace across several exports, and leaves out other traces', async () => {
  const complete = receiver.trace('aa'.repeat(16), (spans) => spans.length === 2);
  await send('aa', 'first');
  await send('bb', 'other');
  await send('aa', 'second');
  expect((await complete).map(({ name }) => name)).toEqual(['first', 'second']);
});

test('gives up after the limit and says how much was there', async () => {
  await send('aa', 'first');
  await expect(receiver.trace('aa'.repeat(16), () => false, 20)).rejects.toThrow('not complete after 20 ms: 1 span');
});

async function send(traceByte: string, name: string): Promise<void> {
  const client = new otlpTrace.TraceService(new URL(receiver.endpoint).host, grpc.credentials.createInsecure());
  const span = { trace_id: Buffer.from(traceByte.repeat(16), 'hex'), span_id: Buffer.from('01'.repeat(8), 'hex'), name };
  await new Promise((resolve, reject) => {
    client.Export({ resource_spans: [{ scope_spans: [{ spans: [span] }] }] }, (error, value) => (error ? reject(error) : resolve(value)));
  });
  client.close();
}
