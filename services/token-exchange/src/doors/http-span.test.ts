import type { HttpBindings } from '@hono/node-server';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { Hono } from 'hono';
import type { StatusCode } from 'hono/utils/http-status';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { traceRequests } from './http-span.ts';

const exporter = new InMemorySpanExporter();
const processor = new SimpleSpanProcessor({ exporter });
const sdk = new NodeSDK({ spanProcessors: [processor], metricReaders: [], logRecordProcessors: [] });
beforeAll(() => sdk.start());
afterAll(() => sdk.shutdown());
beforeEach(() => exporter.reset());

let status: StatusCode = 200;
const app = new Hono<{ readonly Bindings: HttpBindings }>();
app.use(traceRequests('https://token-exchange.shop.test:8443', ['/token']));
app.post('/token', async (c) => {
  await Promise.resolve();
  trace.getActiveSpan()?.setAttribute('tokenmesh.reason', 'as an operation says');
  return c.body(null, status);
});

/** The span of a request, with these headers. */
async function spanOf(method: string, target: string, headers: Readonly<Record<string, string>> = {}): Promise<ReadableSpan | undefined> {
  await app.request(`https://any.test${target}`, { method }, { incoming: { headers } });
  await processor.forceFlush();
  return exporter.getFinishedSpans().at(-1);
}

const known = { 'url.scheme': 'https', 'server.address': 'token-exchange.shop.test', 'server.port': 8443 };

it('is of the server, in the trace of who asked, and active while the request is answered', async () => {
  status = 200;
  const span = await spanOf('POST', '/token', { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` });
  expect(span).toMatchObject({ name: 'POST /token', kind: SpanKind.SERVER, status: { code: SpanStatusCode.UNSET } });
  expect([span?.spanContext().traceId, span?.parentSpanContext?.spanId]).toEqual(['a'.repeat(32), 'b'.repeat(16)]);
  expect(span?.attributes).toEqual({
    ...known,
    'http.request.method': 'POST',
    'url.path': '/token',
    'http.route': '/token',
    'http.response.status_code': 200,
    'tokenmesh.reason': 'as an operation says',
  });
});

it.each([
  [499, SpanStatusCode.UNSET, undefined],
  [500, SpanStatusCode.ERROR, '500'],
  [503, SpanStatusCode.ERROR, '503'],
] as const)('is an error when the server failed and not when the client did: %i', async (answered, code, errorType) => {
  status = answered as StatusCode;
  const span = await spanOf('POST', '/token');
  expect([span?.status.code, span?.attributes['error.type']]).toEqual([code, errorType]);
  expect(span?.attributes['http.response.status_code']).toBe(answered);
});

it('holds nothing that a caller wrote: no query, no header, no path and no method that there is not', async () => {
  const secret = 'tm_what-should-have-been-elsewhere';
  const headers = { authorization: `Basic ${secret}`, host: secret, 'user-agent': secret, 'x-forwarded-for': secret, traceparent: secret };
  const spans = [
    await spanOf('POST', `/token?client_secret=${secret}`, headers),
    await spanOf('POST', `/${secret}`, headers),
    await spanOf(secret.toUpperCase(), '/token', headers),
  ];
  expect(spans.map((span) => [span?.name, span?.attributes['http.request.method'], span?.attributes['url.path']])).toEqual([
    ['POST /token', 'POST', '/token'],
    ['POST', 'POST', 'REDACTED'],
    ['HTTP /token', '_OTHER', '/token'],
  ]);
  const all = spans.map((span) => [span?.name, span?.attributes, span?.events, span?.status, span?.spanContext().traceState]);
  expect(JSON.stringify(all).toLowerCase()).not.toContain(secret);
});
