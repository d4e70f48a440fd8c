import {
  type InterceptingCall,
  type InterceptingListener,
  type Interceptor,
  type InterceptorOptions,
  type Metadata,
  type NextCall,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  type TextMapSetter,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { spanAttributes } from '../semantic-conventions.ts';
import { refusalOf } from '../status.ts';
import { endSpan, isTracingOff, rpcAttributes, tracer } from '../tracing.ts';

type InnerCall = ReturnType<NextCall>;
type MessageContext = Parameters<InnerCall['sendMessageWithContext']>[0];

export interface TracingClientOptions {
  /**
   * Whether calls that are sampled out carry their context, which says so, as well. `false`: neither it nor baggage goes with them, whose callees then
   * have to leave out what comes without a context (`OTEL_TRACES_SAMPLER=parentbased_always_off`). Default true.
   */
  readonly propagateUnsampled?: boolean;
}

/**
 * A span for every outgoing call, and its context in the call's metadata. Outermost: what inner interceptors do happens inside the span. Calls go by
 * untouched while no SDK and no propagator is registered.
 */
export function tracingClientInterceptor({ propagateUnsampled = true }: TracingClientOptions = {}): Interceptor {
  // the cast holds: grpc-js and other interceptors ask of a call what its interface has
  return (options, nextCall) =>
    (isTracingOff() ? nextCall(options) : new TracedCall(options, nextCall, propagateUnsampled)) as InterceptingCall;
}

/** A call with a span. It listens for the end of the call itself, and only where the span is recorded. */
class TracedCall implements InnerCall, InterceptingListener {
  readonly #span: Span;
  readonly #active: Context;
  readonly #call: InnerCall;
  readonly #propagateUnsampled: boolean;
  #listener: Partial<InterceptingListener> | undefined;

  constructor(options: InterceptorOptions, nextCall: NextCall, propagateUnsampled: boolean) {
    this.#propagateUnsampled = propagateUnsampled;
    const { path } = options.method_definition;
    this.#span = tracer.startSpan(path.slice(1), { kind: SpanKind.CLIENT, attributes: rpcAttributes(path) });
    this.#active = trace.setSpan(context.active(), this.#span);
    this.#call = context.with(this.#active, nextCall, undefined, options);
  }

  start(metadata: Metadata, listener: Partial<InterceptingListener> = {}): void {
    if (this.#propagateUnsampled || isSampled(this.#span)) propagation.inject(this.#active, metadata, metadataSetter);
    if (this.#span.isRecording()) {
      this.#listener = listener;
      this.#call.start(metadata, this);
    } else this.#call.start(metadata, listener); // sampled out: the server is told so, and nothing else is left to do
  }

  sendMessageWithContext(messageContext: MessageContext, message: unknown): void {
    this.#call.sendMessageWithContext(messageContext, message);
  }

  sendMessage(message: unknown): void {
    this.#call.sendMessage(message);
  }

  halfClose(): void {
    this.#call.halfClose();
  }

  startRead(): void {
    this.#call.startRead();
  }

  cancelWithStatus(code: status, details: string): void {
    this.#call.cancelWithStatus(code, details);
  }

  getPeer(): string {
    return this.#call.getPeer();
  }

  getAuthContext(): ReturnType<InnerCall['getAuthContext']> {
    return this.#call.getAuthContext();
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#listener?.onReceiveMetadata?.(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.#listener?.onReceiveMessage?.(message);
  }

  onReceiveStatus(result: StatusObject): void {
    const listener = this.#listener;
    this.#listener = undefined;
    const reason = result.code === status.OK ? undefined : refusalOf(result)?.reason;
    this.#span.setAttributes({ ...serverAddress(this.getPeer()), ...(reason && { [spanAttributes.reason]: reason }) });
    endSpan(this.#span, result, result.code !== status.OK);
    listener?.onReceiveStatus?.(result);
  }
}

/** A span that nobody records may still be another's who does, where the program passes contexts on and has no SDK. */
function isSampled(span: Span): boolean {
  return span.isRecording() || (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0;
}

/** Where a call went, by the peer that grpc-js tells, or the target before there is a connection: address and port, or the path of a socket. */
function serverAddress(peer: string): Attributes {
  const [, bracketed, plain, port] = /^(?:dns:(?:\/\/[^/]*\/)?|ipv[46]:)?(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(peer) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined) return peer.startsWith('unix:') ? { 'server.address': peer.slice('unix:'.length) } : {};
  return { 'server.address': address, 'server.port': Number(port) };
}

const metadataSetter: TextMapSetter<Metadata> = { set: (metadata, key, value) => metadata.set(key, value) };
