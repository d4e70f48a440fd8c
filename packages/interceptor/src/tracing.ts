import { status } from '@grpc/grpc-js';
import { type Attributes, ProxyTracerProvider, propagation, type Span, SpanStatusCode, trace } from '@opentelemetry/api';

export const tracer = trace.getTracer('@tokenmesh/interceptor');

// what the API's proxy delegates to as long as nobody registered a provider
const noTracing = new ProxyTracerProvider().getDelegate();

/** Whether nobody would see a span, nor pass on its context: no SDK was registered so far, and no propagator. */
export function isTracingOff(): boolean {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider && provider.getDelegate() === noTracing && propagation.fields().length === 0;
}

export function rpcAttributes(path: string): Attributes {
  return { 'rpc.system.name': 'grpc', 'rpc.method': path.slice(1) };
}

export function endSpan(span: Span, result: { readonly code?: status | null; readonly details?: string | null }, isError: boolean): void {
  if (!span.isRecording()) return;
  const name = status[result.code ?? status.UNKNOWN] ?? String(result.code);
  span.setAttribute('rpc.status_code', name);
  if (isError) {
    span.setAttribute('error.type', name);
    span.setStatus({ code: SpanStatusCode.ERROR, ...(result.details && { message: result.details }) });
  }
  span.end();
}
