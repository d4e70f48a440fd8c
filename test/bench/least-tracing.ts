// The least that makes spans of calls on bare grpc-js: no attribute, no event, no look at who is asked, and no context but the one that a handler runs in.
import { InterceptingCall, type Interceptor, type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { context, propagation, ROOT_CONTEXT, type Span, SpanKind, type TextMapGetter, type TextMapSetter, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('least-tracing');
const setter: TextMapSetter<Metadata> = { set: (metadata, key, value) => metadata.set(key, value) };
const getter: TextMapGetter<Metadata> = {
  keys: () => [],
  get: (metadata, key) => metadata.get(key)[0]?.toString(),
};

/** A client span for every call, and its context in the call's metadata. Without an SDK it does the same with spans that are none. */
export const leastTracingClient: Interceptor = (options, nextCall) => {
  const span = tracer.startSpan(options.method_definition.path.slice(1), { kind: SpanKind.CLIENT });
  const active = trace.setSpan(ROOT_CONTEXT, span);
  return new InterceptingCall(nextCall(options), {
    start(metadata, listener, next) {
      propagation.inject(active, metadata, setter);
      if (!span.isRecording()) return next(metadata, listener);
      return next(metadata, {
        onReceiveStatus(result, nextStatus) {
          span.end();
          nextStatus(result);
        },
      });
    },
  });
};

/** A server span for every call as a child of its client's, in whose context the handler of a unary call runs. */
export const leastTracingServer: ServerInterceptor = ({ path }, nextCall) => {
  let span: Span | undefined;
  let active = ROOT_CONTEXT;
  return new ServerInterceptingCall(nextCall, {
    start(next) {
      next({
        onReceiveMetadata(metadata, nextMetadata) {
          const parent = propagation.extract(ROOT_CONTEXT, metadata, getter);
          span = tracer.startSpan(path.slice(1), { kind: SpanKind.SERVER }, parent);
          active = trace.setSpan(parent, span);
          nextMetadata(metadata);
        },
        onReceiveHalfClose: (nextHalfClose) => context.with(active, nextHalfClose),
      });
    },
    sendStatus(result, next) {
      if (span?.isRecording()) span.end();
      next(result);
    },
  });
};
