// Original file: opentelemetry/proto/collector/trace/v1/trace_service.proto

import type { Resource as _opentelemetry_proto_collector_trace_v1_Resource, Resource__Output as _opentelemetry_proto_collector_trace_v1_Resource__Output } from '../../../../../opentelemetry/proto/collector/trace/v1/Resource.ts';
import type { ScopeSpans as _opentelemetry_proto_collector_trace_v1_ScopeSpans, ScopeSpans__Output as _opentelemetry_proto_collector_trace_v1_ScopeSpans__Output } from '../../../../../opentelemetry/proto/collector/trace/v1/ScopeSpans.ts';

export interface ResourceSpans {
  'resource'?: (_opentelemetry_proto_collector_trace_v1_Resource | null);
  'scope_spans'?: (_opentelemetry_proto_collector_trace_v1_ScopeSpans)[];
}

export interface ResourceSpans__Output {
  'resource': (_opentelemetry_proto_collector_trace_v1_Resource__Output | null);
  'scope_spans': (_opentelemetry_proto_collector_trace_v1_ScopeSpans__Output)[];
}
