// A real OTLP/gRPC receiver of traces and metrics. While others are measured it keeps what comes as bytes, and reads it when it is asked what came.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type ExportTraceServiceRequest, otlpTrace, type Span } from '@tokenmesh/proto/otlp';
import { shop } from '@tokenmesh/proto/shop';
import { answer } from './measured-process.ts';

/** What came from one service since the start; spans are those of `Orders.Get`. */
export interface Received {
  readonly clientSpans: number;
  readonly serverSpans: number;
  /** Server spans with a parent, an admission and its rule, the token's hashed id, audience and key, and the age of revocations. */
  readonly admitted: number;
  /** Server spans of refusals, by their reasons. */
  readonly refused: Readonly<Record<string, number>>;
  /** How many spans there are of each form: their kind, and names, types and lengths of what they say. */
  readonly forms: Readonly<Record<string, number>>;
}

export interface ReceiverAnswer {
  readonly services: Readonly<Record<string, Received>>;
  /** Exports of metrics that held the interceptor's count of calls. */
  readonly meteredExports: number;
  /** Processor time of the process, without what its answers took. */
  readonly cpuMicros: number;
}

interface Count {
  clientSpans: number;
  serverSpans: number;
  admitted: number;
  refused: Record<string, number>;
  forms: Record<string, number>;
}

const told = ['rule.scope', 'token.id_hash', 'token.audience', 'token.kid', 'revocation.age'].map((name) => `tokenmesh.${name}`);
const spanName = shop.Orders.service.Get.path.slice(1);
const [serverKind, clientKind] = [2, 3]; // opentelemetry.proto.trace.v1.Span.SpanKind

let held: Buffer[] = [];
let [meteredExports, readingMicros] = [0, 0];
const counts = new Map<string, Count>();

function count(service: string, span: Span): void {
  const { name, kind, parent_span_id: parent, attributes } = span;
  if (name !== spanName) return;
  const of = counts.get(service) ?? { clientSpans: 0, serverSpans: 0, admitted: 0, refused: {}, forms: {} };
  counts.set(service, of);
  const form = formOf(span);
  of.forms[form] = (of.forms[form] ?? 0) + 1;
  if (kind === clientKind) of.clientSpans++;
  if (kind !== serverKind) return;
  of.serverSpans++;
  const values = new Map(attributes.map(({ key, value }) => [key, value]));
  const decision = values.get('tokenmesh.decision')?.string_value;
  const reason = values.get('tokenmesh.reason')?.string_value;
  const isTold = parent.length > 0 && told.every((attribute) => values.has(attribute));
  if (decision === 'admitted' && isTold) of.admitted++;
  if (decision === 'refused' && reason) of.refused[reason] = (of.refused[reason] ?? 0) + 1;
}

function formOf({ kind, attributes, events }: Span): string {
  const said = attributes.map(
    ({ key, value }) => `${key}: ${value?.value}${value?.string_value === undefined ? '' : ` of ${value.string_value.length}`}`,
  );
  return [`kind ${kind}`, ...said.sort(), ...events.map(({ name, attributes: its }) => `event ${name} with ${its.length}`)].join(', ');
}

function read({ resource_spans: resources }: ExportTraceServiceRequest): void {
  for (const { resource, scope_spans: scopes } of resources) {
    const service = resource?.attributes.find(({ key }) => key === 'service.name')?.value?.string_value ?? '';
    for (const { spans } of scopes) for (const span of spans) count(service, span);
  }
}

const traces = otlpTrace.TraceService.service.Export;
const takeBytes = { requestStream: false, responseStream: false, requestDeserialize: (bytes: Buffer) => bytes } as const;
const emptyAnswer = {
  responseSerialize: () => Buffer.alloc(0),
  responseDeserialize: (bytes: Buffer) => bytes,
  requestSerialize: Buffer.from,
};

const server = new Server({ 'grpc.max_receive_message_length': -1 });
server.addService(
  {
    traces: { path: traces.path, ...takeBytes, ...emptyAnswer },
    metrics: { path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export', ...takeBytes, ...emptyAnswer },
  },
  {
    traces(call: { readonly request: Buffer }, callback: (error: null, response: object) => void) {
      held.push(call.request);
      callback(null, {});
    },
    metrics(call: { readonly request: Buffer }, callback: (error: null, response: object) => void) {
      if (call.request.includes('tokenmesh.calls.decided')) meteredExports++;
      callback(null, {});
    },
  },
);
const port = await new Promise<number>((resolve, reject) =>
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
);

function usedMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

answer<object, ReceiverAnswer>(port, () => {
  const before = usedMicros();
  // the cast holds: that is what proto-loader makes of the bytes of a request
  for (const bytes of held) read(traces.requestDeserialize(bytes) as unknown as ExportTraceServiceRequest);
  held = [];
  const cpuMicros = before - readingMicros;
  readingMicros += usedMicros() - before;
  return { services: Object.fromEntries(counts), meteredExports, cpuMicros };
});
