// Original file: opentelemetry/proto/collector/trace/v1/trace_service.proto


export interface Status {
  'message'?: (string);
  'code'?: (number);
}

export interface Status__Output {
  'message': (string);
  'code': (number);
}
