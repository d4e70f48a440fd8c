// The least that makes spans of calls on bare grpc-js: no look at who is asked, and no context but the one that a handler runs in.
import { InterceptingCall, type Interceptor, type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import {
  type Attributes,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';

/** What its spans say: `name`: nothing but the method's name; `all`: what ours do of a warm call that is admitted, attribute by attribute. */
export type LeastSaid = 'name' | 'all';

const tracer = trace.getTracer('least-tracing');
const names = new Map<string, string>();
const setter: TextMapSetter<Metadata> = { set: (metadata, key, value) => metadata.set(key, value) };
const getter: TextMapGetter<Metadata> = {
  keys: () => [],
  get: (metadata, key) => metadata.get(key)[0]?.toString(),
};

/** A client span for every call, and its context in the call's metadata. */
export function leastTracingClient(said: LeastSaid): Interceptor {
  return (options, nextCall) => {
    const method = nameOf(options.method_definition.path);
    const span = tracer.startSpan(method, { kind: SpanKind.CLIENT, ...(said === 'all' && { attributes: ofEveryCall(method) }) });
    const active = trace.setSpan(ROOT_CONTEXT, span);
    return new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        propagation.inject(active, metadata, setter);
        if (!span.isRecording()) return next(metadata, listener);
        return next(metadata, {
          onReceiveStatus(result, nextStatus) {
            if (said === 'all') sayServer(span);
            span.end();
            nextStatus(result);
          },
        });
      },
    });
  };
}

/** A server span for every call as a child of its client's, in whose context the handler of a unary call runs. */
export function leastTracingServer(said: LeastSaid): ServerInterceptor {
  return ({ path }, nextCall) => {
    const method = nameOf(path);
    let span: Span | undefined;
    let active = ROOT_CONTEXT;
    return new ServerInterceptingCall(nextCall, {
      start(next) {
        next({
          onReceiveMetadata(metadata, nextMetadata) {
            const parent = propagation.extract(ROOT_CONTEXT, metadata, getter);
            span = tracer.startSpan(method, { kind: SpanKind.SERVER, ...(said === 'all' && { attributes: ofEveryCall(method) }) }, parent);
            active = trace.setSpan(parent, span);
            if (said === 'all' && span.isRecording()) sayDecision(span);
            nextMetadata(metadata);
          },
          onReceiveHalfClose: (nextHalfClose) => context.with(active, nextHalfClose),
        });
      },
      sendStatus(result, next) {
        if (span?.isRecording()) {
          if (said === 'all') span.setAttribute('rpc.status_code', 'OK');
          span.end();
        }
        next(result);
      },
    });
  };
}

/** Made once for a method, as ours is. */
function nameOf(path: string): string {
  const known = names.get(path);
  if (known !== undefined) return known;
  const name = Buffer.from(path.slice(1)).toString();
  names.set(path, name);
  return name;
}

function ofEveryCall(method: string): Attributes {
  return { 'rpc.system.name': 'grpc', 'rpc.method': method };
}

function sayServer(span: Span): void {
  span.setAttribute('server.address', '127.0.0.1');
  span.setAttribute('server.port', 50_051);
  span.setAttribute('rpc.status_code', 'OK');
}

/** With values at hand, of the types and lengths of ours, which the suite makes sure of. */
function sayDecision(span: Span): void {
  span.setAttribute('tokenmesh.token.id_hash', '5f2b8c0a91d4e377');
  span.setAttribute('tokenmesh.token.audience', 'spiffe://bench.test/orders');
  span.setAttribute('tokenmesh.token.kid', 'b1c9b1c9');
  span.setAttribute('tokenmesh.revocation.age', 0.42);
  span.addEvent('tokenmesh.decision');
  span.setAttribute('tokenmesh.decision', 'admitted');
  span.setAttribute('tokenmesh.rule.scope', 'orders.read');
}
