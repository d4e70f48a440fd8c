// Original file: opentelemetry/proto/collector/trace/v1/trace_service.proto

import type { KeyValue as _opentelemetry_proto_collector_trace_v1_KeyValue, KeyValue__Output as _opentelemetry_proto_collector_trace_v1_KeyValue__Output } from '../../../../../opentelemetry/proto/collector/trace/v1/KeyValue.ts';

export interface Resource {
  'attributes'?: (_opentelemetry_proto_collector_trace_v1_KeyValue)[];
}

export interface Resource__Output {
  'attributes': (_opentelemetry_proto_collector_trace_v1_KeyValue__Output)[];
}
