import type { ProtoGrpcType } from './gen/trace_service.ts';
import { grpcObject, loadProto } from './load.ts';

/** OTLP's trace service, as far as a stand-in collector needs it. */
export const otlpTrace: ProtoGrpcType['opentelemetry']['proto']['collector']['trace']['v1'] = grpcObject<ProtoGrpcType>(
  loadProto('opentelemetry/proto/collector/trace/v1/trace_service.proto'),
).opentelemetry.proto.collector.trace.v1;

export type { ExportTraceServiceRequest__Output as ExportTraceServiceRequest } from './gen/opentelemetry/proto/collector/trace/v1/ExportTraceServiceRequest.ts';
export type { KeyValue__Output as KeyValue } from './gen/opentelemetry/proto/collector/trace/v1/KeyValue.ts';
export type { Span__Output as Span } from './gen/opentelemetry/proto/collector/trace/v1/Span.ts';
export type { TraceServiceHandlers } from './gen/opentelemetry/proto/collector/trace/v1/TraceService.ts';
