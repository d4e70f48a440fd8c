// Original file: opentelemetry/proto/collector/trace/v1/trace_service.proto

import type { AnyValue as _opentelemetry_proto_collector_trace_v1_AnyValue, AnyValue__Output as _opentelemetry_proto_collector_trace_v1_AnyValue__Output } from '../../../../../opentelemetry/proto/collector/trace/v1/AnyValue.ts';

export interface ArrayValue {
  'values'?: (_opentelemetry_proto_collector_trace_v1_AnyValue)[];
}

export interface ArrayValue__Output {
  'values': (_opentelemetry_proto_collector_trace_v1_AnyValue__Output)[];
}
