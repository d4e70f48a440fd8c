import { EventEmitter, on } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import {
  type ExportTraceServiceRequest,
  type KeyValue,
  otlpTrace,
  type TraceServiceHandlers,
  type Span as WireSpan,
} from '@tokenmesh/proto/otlp';

/** One finished span as a process exported it. Ids are lower-case hexadecimal, times milliseconds since epoch with fractions. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly service: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer' | 'unspecified';
  readonly startMs: number;
  readonly endMs: number;
  readonly status: 'unset' | 'ok' | 'error';
  readonly statusMessage: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, AttributeValue>> }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

type AttributeValue = string | number | boolean | readonly AttributeValue[] | undefined;

/** Stands in for a collector: keeps what OpenTelemetry exporters send it. */
export interface OtlpReceiver {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`, OTLP over gRPC without TLS. */
  readonly endpoint: string;
  /** Every span received so far, in the order of arrival; at most the newest 10 000. */
  readonly spans: readonly Span[];
  /**
   * The spans of one trace, as soon as they satisfy `enough`, asked at once and after every arrival.
   *
   * @throws {Error} `limitMs` (default 5 000) have passed; the message counts what was there.
   */
  trace(traceId: string, enough: (spans: readonly Span[]) => boolean, limitMs?: number): Promise<readonly Span[]>;
  close(): Promise<void>;
}

const kinds = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
const statuses = ['unset', 'ok', 'error'] as const;
const keptSpans = 10_000;

/** Starts an OTLP/gRPC trace receiver on a free port of 127.0.0.1. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: Span[] = [];
  const arrivals = new EventEmitter().setMaxListeners(0);
  const handlers: TraceServiceHandlers = {
    Export: (call, callback) => {
      spans.push(...readSpans(call.request));
      spans.splice(0, spans.length - keptSpans);
      arrivals.emit('arrival');
      callback(null, {});
    },
  };
  const server = new grpc.Server();
  server.addService(otlpTrace.TraceService.service, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    trace: async (traceId, enough, limitMs = 5_000) => {
      const ofTrace = () => spans.filter((span) => span.traceId === traceId);
      const signal = AbortSignal.timeout(limitMs);
      try {
        const arrived = on(arrivals, 'arrival', { signal });
        while (!enough(ofTrace())) await arrived.next();
        await arrived.return?.();
        return ofTrace();
      } catch (error) {
        if (!signal.aborted) throw error;
        throw new Error(`trace ${traceId} was not complete after ${limitMs} ms: ${ofTrace().length} spans`, { cause: error });
      }
    },
    // Exporters keep their connection open, so there is nothing to wait for.
    close: async () => server.forceShutdown(),
  };
}

function* readSpans(request: ExportTraceServiceRequest): Generator<Span> {
  for (const { resource, scope_spans: scopes } of request.resource_spans) {
    const service = String(readAttributes(resource?.attributes ?? [])['service.name'] ?? 'unknown');
    for (const span of scopes.flatMap((scope) => scope.spans)) yield readSpan(span, service);
  }
}

function readSpan(span: WireSpan, service: string): Span {
  return {
    traceId: span.trace_id.toString('hex'),
    spanId: span.span_id.toString('hex'),
    parentSpanId: span.parent_span_id.toString('hex'),
    service,
    name: span.name,
    kind: kinds[span.kind] ?? 'unspecified',
    startMs: span.start_time_unix_nano / 1e6,
    endMs: span.end_time_unix_nano / 1e6,
    status: statuses[span.status?.code ?? 0] ?? 'unset',
    statusMessage: span.status?.message ?? '',
    attributes: readAttributes(span.attributes),
    events: span.events.map(({ name, attributes }) => ({ name, attributes: readAttributes(attributes) })),
    links: span.links.map((link) => ({ traceId: link.trace_id.toString('hex'), spanId: link.span_id.toString('hex') })),
  };
}

const readAttributes = (attributes: readonly KeyValue[]): Record<string, AttributeValue> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, readValue(value)]));

function readValue(value: KeyValue['value']): AttributeValue {
  return value?.array_value ? value.array_value.values.map(readValue) : (value?.[value.value ?? 'string_value'] as AttributeValue);
}
