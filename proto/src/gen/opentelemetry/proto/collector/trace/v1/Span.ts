// Original file: opentelemetry/proto/collector/trace/v1/trace_service.proto

import type { KeyValue as _opentelemetry_proto_collector_trace_v1_KeyValue, KeyValue__Output as _opentelemetry_proto_collector_trace_v1_KeyValue__Output } from '../../../../../opentelemetry/proto/collector/trace/v1/KeyValue.ts';
import type { Status as _opentelemetry_proto_collector_trace_v1_Status, Status__Output as _opentelemetry_proto_collector_trace_v1_Status__Output } from '../../../../../opentelemetry/proto/collector/trace/v1/Status.ts';
import type { Long } from '@grpc/proto-loader';

export interface _opentelemetry_proto_collector_trace_v1_Span_Event {
  'time_unix_nano'?: (number | string | Long);
  'name'?: (string);
  'attributes'?: (_opentelemetry_proto_collector_trace_v1_KeyValue)[];
}

export interface _opentelemetry_proto_collector_trace_v1_Span_Event__Output {
  'time_unix_nano': (number);
  'name': (string);
  'attributes': (_opentelemetry_proto_collector_trace_v1_KeyValue__Output)[];
}

export interface _opentelemetry_proto_collector_trace_v1_Span_Link {
  'trace_id'?: (Buffer | Uint8Array | string);
  'span_id'?: (Buffer | Uint8Array | string);
}

export interface _opentelemetry_proto_collector_trace_v1_Span_Link__Output {
  'trace_id': (Buffer);
  'span_id': (Buffer);
}

export interface Span {
  'trace_id'?: (Buffer | Uint8Array | string);
  'span_id'?: (Buffer | Uint8Array | string);
  'parent_span_id'?: (Buffer | Uint8Array | string);
  'name'?: (string);
  'kind'?: (number);
  'start_time_unix_nano'?: (number | string | Long);
  'end_time_unix_nano'?: (number | string | Long);
  'attributes'?: (_opentelemetry_proto_collector_trace_v1_KeyValue)[];
  'events'?: (_opentelemetry_proto_collector_trace_v1_Span_Event)[];
  'links'?: (_opentelemetry_proto_collector_trace_v1_Span_Link)[];
  'status'?: (_opentelemetry_proto_collector_trace_v1_Status | null);
}

export interface Span__Output {
  'trace_id': (Buffer);
  'span_id': (Buffer);
  'parent_span_id': (Buffer);
  'name': (string);
  'kind': (number);
  'start_time_unix_nano': (number);
  'end_time_unix_nano': (number);
  'attributes': (_opentelemetry_proto_collector_trace_v1_KeyValue__Output)[];
  'events': (_opentelemetry_proto_collector_trace_v1_Span_Event__Output)[];
  'links': (_opentelemetry_proto_collector_trace_v1_Span_Link__Output)[];
  'status': (_opentelemetry_proto_collector_trace_v1_Status__Output | null);
}
