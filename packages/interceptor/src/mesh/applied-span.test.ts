import { SpanKind, trace } from '@opentelemetry/api';
import { AlwaysOnSampler, InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { AppliedEvent, RevocationFeed } from '@tokenmesh/revocation';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { traceApplied } from './applied-span.ts';

const exporter = new InMemorySpanExporter();
let apply: (applied?: AppliedEvent) => void;
const onApplied: RevocationFeed['onApplied'] = (listener) => {
  apply = listener;
  return () => {};
};

beforeEach(() => {
  exporter.reset();
  trace.setGlobalTracerProvider(
    new TracerProvider({ sampler: new AlwaysOnSampler(), spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
  traceApplied({ onApplied }, 'https://token-exchange.shop.test');
});
afterEach(() => trace.disable());

const published = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const event = {
  ...{ iss: 'i', aud: 'm', iat: 1, jti: 'j', epoch: 'e', n: 7, t: 1, prev: 'p' },
  targets: [
    { kind: 'subject', value: 'a', exp: 1 },
    { kind: 'subject', value: 'b', exp: 1 },
  ],
} as const;
const cameBy = (path: string, traceparent?: string): AppliedEvent => ({
  event,
  path,
  receivedAtMs: Date.now(),
  traceparent: () => traceparent,
});

it('makes a span in a trace of its own, linked to the one that published, and from the arrival on', () => {
  const arrived = cameBy('nats', `00-${published.traceId}-${published.spanId}-01`);
  apply(arrived);
  const [span] = exporter.getFinishedSpans();
  expect(span).toMatchObject({
    name: 'tokenmesh.revocation.apply',
    kind: SpanKind.CONSUMER,
    parentSpanContext: undefined,
    links: [{ context: { ...published, isRemote: true } }],
    attributes: {
      'tokenmesh.issuer': 'https://token-exchange.shop.test',
      'tokenmesh.revocation.path': 'nats',
      'tokenmesh.revocation.position': 7,
      'tokenmesh.revocation.targets': 2,
      'tokenmesh.revocation.kinds': ['subject'],
    },
  });
  expect(span?.spanContext().traceId).not.toBe(published.traceId);
  const [seconds = 0, nanoseconds = 0] = span?.startTime ?? [];
  expect(seconds * 1000 + nanoseconds / 1e6).toBeCloseTo(arrived.receivedAtMs, 1);
});

it('leaves a malformed context out, and makes the span all the same', () => {
  for (const traceparent of [undefined, '', 'x', `00-${published.traceId}-${published.spanId}-01,`]) apply(cameBy('grpc', traceparent));
  expect(exporter.getFinishedSpans().map(({ links }) => links)).toEqual([[], [], [], []]);
});

it('makes none for a snapshot and for what is read from the record', () => {
  apply();
  apply(cameBy('record'));
  expect(exporter.getFinishedSpans()).toEqual([]);
});

it('makes none where a ratio says that what the mesh does by itself begins no trace', () => {
  traceApplied({ onApplied }, 'https://token-exchange.shop.test', { traceRatio: 0 });
  apply(cameBy('nats', `00-${published.traceId}-${published.spanId}-01`));
  expect(exporter.getFinishedSpans()).toEqual([]);
});

it('does not even read the context while nobody traces', () => {
  trace.disable();
  apply({
    ...cameBy('nats'),
    traceparent() {
      throw new Error('was asked');
    },
  });
  expect(exporter.getFinishedSpans()).toEqual([]);
});
