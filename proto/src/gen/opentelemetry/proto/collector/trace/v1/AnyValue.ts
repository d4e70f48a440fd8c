// Original file: opentelemetry/proto/collector/trace/v1/trace_service.proto

import type { ArrayValue as _opentelemetry_proto_collector_trace_v1_ArrayValue, ArrayValue__Output as _opentelemetry_proto_collector_trace_v1_ArrayValue__Output } from '../../../../../opentelemetry/proto/collector/trace/v1/ArrayValue.ts';
import type { Long } from '@grpc/proto-loader';

export interface AnyValue {
  'string_value'?: (string);
  'bool_value'?: (boolean);
  'int_value'?: (number | string | Long);
  'double_value'?: (number | string);
  'array_value'?: (_opentelemetry_proto_collector_trace_v1_ArrayValue | null);
  'value'?: "string_value"|"bool_value"|"int_value"|"double_value"|"array_value";
}

export interface AnyValue__Output {
  'string_value'?: (string);
  'bool_value'?: (boolean);
  'int_value'?: (number);
  'double_value'?: (number);
  'array_value'?: (_opentelemetry_proto_collector_trace_v1_ArrayValue__Output | null);
  'value'?: "string_value"|"bool_value"|"int_value"|"double_value"|"array_value";
}
