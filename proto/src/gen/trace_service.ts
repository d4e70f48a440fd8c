import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { AnyValue as _opentelemetry_proto_collector_trace_v1_AnyValue, AnyValue__Output as _opentelemetry_proto_collector_trace_v1_AnyValue__Output } from './opentelemetry/proto/collector/trace/v1/AnyValue.ts';
import type { ArrayValue as _opentelemetry_proto_collector_trace_v1_ArrayValue, ArrayValue__Output as _opentelemetry_proto_collector_trace_v1_ArrayValue__Output } from './opentelemetry/proto/collector/trace/v1/ArrayValue.ts';
import type { ExportTraceServiceRequest as _opentelemetry_proto_collector_trace_v1_ExportTraceServiceRequest, ExportTraceServiceRequest__Output as _opentelemetry_proto_collector_trace_v1_ExportTraceServiceRequest__Output } from './opentelemetry/proto/collector/trace/v1/ExportTraceServiceRequest.ts';
import type { ExportTraceServiceResponse as _opentelemetry_proto_collector_trace_v1_ExportTraceServiceResponse, ExportTraceServiceResponse__Output as _opentelemetry_proto_collector_trace_v1_ExportTraceServiceResponse__Output } from './opentelemetry/proto/collector/trace/v1/ExportTraceServiceResponse.ts';
import type { KeyValue as _opentelemetry_proto_collector_trace_v1_KeyValue, KeyValue__Output as _opentelemetry_proto_collector_trace_v1_KeyValue__Output } from './opentelemetry/proto/collector/trace/v1/KeyValue.ts';
import type { Resource as _opentelemetry_proto_collector_trace_v1_Resource, Resource__Output as _opentelemetry_proto_collector_trace_v1_Resource__Output } from './opentelemetry/proto/collector/trace/v1/Resource.ts';
import type { ResourceSpans as _opentelemetry_proto_collector_trace_v1_ResourceSpans, ResourceSpans__Output as _opentelemetry_proto_collector_trace_v1_ResourceSpans__Output } from './opentelemetry/proto/collector/trace/v1/ResourceSpans.ts';
import type { ScopeSpans as _opentelemetry_proto_collector_trace_v1_ScopeSpans, ScopeSpans__Output as _opentelemetry_proto_collector_trace_v1_ScopeSpans__Output } from './opentelemetry/proto/collector/trace/v1/ScopeSpans.ts';
import type { Span as _opentelemetry_proto_collector_trace_v1_Span, Span__Output as _opentelemetry_proto_collector_trace_v1_Span__Output } from './opentelemetry/proto/collector/trace/v1/Span.ts';
import type { Status as _opentelemetry_proto_collector_trace_v1_Status, Status__Output as _opentelemetry_proto_collector_trace_v1_Status__Output } from './opentelemetry/proto/collector/trace/v1/Status.ts';
import type { TraceServiceClient as _opentelemetry_proto_collector_trace_v1_TraceServiceClient, TraceServiceDefinition as _opentelemetry_proto_collector_trace_v1_TraceServiceDefinition } from './opentelemetry/proto/collector/trace/v1/TraceService.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  opentelemetry: {
    proto: {
      collector: {
        trace: {
          v1: {
            AnyValue: MessageTypeDefinition<_opentelemetry_proto_collector_trace_v1_AnyValue, _opentelemetry_proto_collector_trace_v1_AnyValue__Output>
            ArrayValue: MessageTypeDefinition<_opentelemetry_proto_collector_trace_v1_ArrayValue, _opentelemetry_proto_collector_trace_v1_ArrayValue__Output>
            ExportTraceServiceRequest: MessageTypeDefinition<_opentelemetry_proto_collector_trace_v1_ExportTraceServiceRequest, _opentelemetry_proto_collector_trace_v1_ExportTraceServiceRequest__Output>
            ExportTraceServiceResponse: MessageTypeDefinition<_opentelemetry_proto_collector_trace_v1_ExportTraceServiceResponse, _opentelemetry_proto_collector_trace_v1_ExportTraceServiceResponse__Output>
            KeyValue: MessageTypeDefinition<_opentelemetry_proto_collector_trace_v1_KeyValue, _opentelemetry_proto_collector_trace_v1_KeyValue__Output>
            Resource: MessageTypeDefinition<_opentelemetry_proto_collector_trace_v1_Resource, _opentelemetry_proto_collector_trace_v1_Resource__Output>
            ResourceSpans: MessageTypeDefinition<_opentelemetry_proto_collector_trace_v1_ResourceSpans, _opentelemetry_proto_collector_trace_v1_ResourceSpans__Output>
            ScopeSpans: MessageTypeDefinition<_opentelemetry_proto_collector_trace_v1_ScopeSpans, _opentelemetry_proto_collector_trace_v1_ScopeSpans__Output>
            Span: MessageTypeDefinition<_opentelemetry_proto_collector_trace_v1_Span, _opentelemetry_proto_collector_trace_v1_Span__Output>
            Status: MessageTypeDefinition<_opentelemetry_proto_collector_trace_v1_Status, _opentelemetry_proto_collector_trace_v1_Status__Output>
            TraceService: SubtypeConstructor<typeof grpc.Client, _opentelemetry_proto_collector_trace_v1_TraceServiceClient> & { service: _opentelemetry_proto_collector_trace_v1_TraceServiceDefinition }
          }
        }
      }
    }
  }
}

