import { InterceptingCall, type Interceptor, type Metadata, ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import {
  type Attributes,
  context,
  ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';
import { spanAttributes } from './semantic-conventions.ts';
import { refusalOf } from './status.ts';

const tracer = trace.getTracer('@tokenmesh/interceptor');

// what the API's proxy delegates to as long as nobody registered a provider
const noTracing = new ProxyTracerProvider().getDelegate();

/** Whether nobody would see a span, nor pass on its context: no SDK was registered so far, and no propagator. */
export function isTracingOff(): boolean {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider && provider.getDelegate() === noTracing && propagation.fields().length === 0;
}

/**
 * A span for every outgoing call, and its context in the call's metadata. Outermost: what inner interceptors do happens inside the span. Calls go by
 * untouched while no SDK and no propagator is registered.
 */
export function tracingClientInterceptor(): Interceptor {
  return (options, nextCall) => {
    // the cast holds: grpc-js asks of the outermost call what its interface has
    if (isTracingOff()) return nextCall(options) as InterceptingCall;
    const { path } = options.method_definition;
    const span = tracer.startSpan(path.slice(1), { kind: SpanKind.CLIENT, attributes: rpcAttributes(path) });
    const active = trace.setSpan(context.active(), span);
    const call = context.with(active, () => nextCall(options));
    return new InterceptingCall(call, {
      start(metadata, listener, next) {
        propagation.inject(active, metadata, metadataSetter);
        // sampled out: the server is told so, and nothing else is left to do
        if (!span.isRecording()) return next(metadata, listener);
        next(metadata, {
          onReceiveStatus(result, nextStatus) {
            const reason = result.code === status.OK ? undefined : refusalOf(result)?.reason;
            span.setAttributes({ ...serverAddress(call.getPeer()), ...(reason && { [spanAttributes.reason]: reason }) });
            endSpan(span, result, result.code !== status.OK);
            nextStatus(result);
          },
        });
      },
    });
  };
}

// RPC semantic conventions: of a server span only these are errors; refusals and the like are the caller's
const serverErrors = new Set<status>([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/**
 * A span for every incoming call, refused ones included, as a child of the caller's. Handlers of all four kinds of call run with it active,
 * so that what they call belongs to the same trace. Calls go by untouched while no SDK and no propagator is registered.
 */
export function tracingServerInterceptor(): ServerInterceptor {
  return (definition, nextCall) => {
    // the cast holds: grpc-js asks of a call what its interface has
    if (isTracingOff()) return nextCall as ServerInterceptingCall;
    const { path } = definition;
    let span: Span | undefined;
    let active = ROOT_CONTEXT;
    return new ServerInterceptingCall(nextCall, {
      start(next) {
        next({
          onReceiveMetadata(metadata, nextMetadata) {
            const parent = propagation.extract(ROOT_CONTEXT, metadata, metadataGetter);
            span = tracer.startSpan(path.slice(1), { kind: SpanKind.SERVER, attributes: rpcAttributes(path) }, parent);
            active = trace.setSpan(parent, span);
            context.with(active, () => nextMetadata(metadata));
          },
          // grpc-js starts the handler from any of the three, outside the context of the others
          onReceiveMessage(message, nextMessage) {
            context.with(active, () => nextMessage(message));
          },
          onReceiveHalfClose(nextHalfClose) {
            context.with(active, () => nextHalfClose());
          },
          onCancel() {
            if (span) endSpan(span, { code: status.CANCELLED }, false);
            span = undefined;
          },
        });
      },
      sendStatus(result, next) {
        if (span) endSpan(span, result, serverErrors.has(result.code ?? status.UNKNOWN));
        span = undefined;
        next(result);
      },
    });
  };
}

/** Where a call went, by the peer that grpc-js tells, or the target before there is a connection: address and port, or the path of a socket. */
function serverAddress(peer: string): Attributes {
  const [, bracketed, plain, port] = /^(?:dns:(?:\/\/[^/]*\/)?|ipv[46]:)?(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(peer) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined) return peer.startsWith('unix:') ? { 'server.address': peer.slice('unix:'.length) } : {};
  return { 'server.address': address, 'server.port': Number(port) };
}

function rpcAttributes(path: string): Attributes {
  return { 'rpc.system.name': 'grpc', 'rpc.method': path.slice(1) };
}

function endSpan(span: Span, result: { readonly code?: status | null; readonly details?: string | null }, isError: boolean): void {
  if (!span.isRecording()) return;
  const name = status[result.code ?? status.UNKNOWN] ?? String(result.code);
  span.setAttribute('rpc.status_code', name);
  if (isError) {
    span.setAttribute('error.type', name);
    span.setStatus({ code: SpanStatusCode.ERROR, ...(result.details && { message: result.details }) });
  }
  span.end();
}

const metadataSetter: TextMapSetter<Metadata> = { set: (metadata, key, value) => metadata.set(key, value) };

const metadataGetter: TextMapGetter<Metadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  // of what is absent a propagator would make an empty list, and pass that on
  get(metadata, key) {
    const values = metadata.get(key);
    return values.length === 0 ? undefined : values.map(String);
  },
};
