import { context, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { ConfigError } from './config/config-problem.ts';
import { limitLog } from './limited-log.ts';
import { createServiceLog } from './service-log.ts';

const exporter = new InMemorySpanExporter();
const sdk = new NodeSDK({ spanProcessors: [new SimpleSpanProcessor({ exporter })], metricReaders: [], logRecordProcessors: [] });
beforeAll(() => sdk.start());
afterAll(() => sdk.shutdown());

let lines: string[];
beforeEach(() => {
  lines = [];
});

const open = (level?: string) => createServiceLog('token-exchange', level, { write: (line) => void lines.push(line) });
const written = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

it('writes one line of JSON with its level in words, an ISO time, the service and the event', () => {
  open().warn({ event: 'development', detail: 'one\ntwo' });
  expect(lines).toEqual([expect.stringMatching(/^[^\n]+\n$/)]);
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(written()).toEqual([{ level: 'warn', time, service: 'token-exchange', event: 'development', detail: 'one\ntwo' }]);
});

it('names the span that is active, also after something was waited for, and none where there is none', async () => {
  const log = open();
  const span = trace.getTracer('test').startSpan('call');
  await context.with(trace.setSpan(context.active(), span), async () => {
    await Promise.resolve();
    log.info({ event: 'token.issued' });
  });
  log.info({ event: 'stopped' });
  const ofZeros = trace.wrapSpanContext({ traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 });
  context.with(trace.setSpan(context.active(), ofZeros), () => log.info({ event: 'stopped' }));
  const { traceId, spanId } = span.spanContext();
  expect(written()[0]).toMatchObject({ trace_id: traceId, span_id: spanId, trace_flags: '01' });
  for (const line of written().slice(1)) expect(Object.keys(line)).toEqual(['level', 'time', 'service', 'event']);
});

it('names no span where it says how much was left out of many', async () => {
  const limited = limitLog(open());
  const span = trace.getTracer('test').startSpan('call');
  context.with(trace.setSpan(context.active(), span), () => {
    for (let made = 0; made < 11; made++) limited.warn({ event: 'call.refused', reason: 'TOKEN_EXPIRED' });
  });
  await expect.poll(written, { timeout: 5_000 }).toHaveLength(11);
  expect(written().map(({ trace_id }) => trace_id)).toEqual([...Array(10).fill(span.spanContext().traceId), undefined]);
});

it('leaves out what is below its level', () => {
  const log = open('error');
  log.warn({ event: 'development' });
  log.error({ event: 'close.failed' });
  open('silent').error({ event: 'close.failed' });
  expect(written().map(({ event }) => event)).toEqual(['close.failed']);
});

it('refuses a level that it does not know', () => {
  for (const level of ['debug', 'INFO', '']) expect(() => open(level)).toThrow(ConfigError);
});
