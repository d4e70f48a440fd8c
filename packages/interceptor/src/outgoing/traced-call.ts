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
import { type Context, context, propagation, type Span, SpanKind, type TextMapSetter, trace } from '@opentelemetry/api';
import { spanAttributes } from '../semantic-conventions.ts';
import { refusalOf } from '../status.ts';
import {
  endSpan,
  isEmpty,
  isTracingOff,
  methodName,
  rememberedBy,
  rpcAttributes,
  spanChoice,
  type TracingOptions,
  tracer,
} from '../tracing.ts';

type InnerCall = ReturnType<NextCall>;
type MessageContext = Parameters<InnerCall['sendMessageWithContext']>[0];

/**
 * A span for every outgoing call, and its context in the call's metadata. Outermost: what inner interceptors do happens inside the span. Calls go by
 * untouched while no SDK and no propagator is registered, and where they begin no trace by `traceRatio`. Of those that have no span by it the context
 * goes with them as it is: that of a trace that is not sampled, or baggage.
 *
 * @throws {TypeError} When `traceRatio` is out of its range.
 */
export function tracingClientInterceptor(tracing: TracingOptions = {}): Interceptor {
  const choice = spanChoice(tracing);
  return (options, nextCall) => {
    // the casts hold: grpc-js and other interceptors ask of a call what its interface has
    if (isTracingOff()) return nextCall(options) as InterceptingCall;
    const within = context.active();
    if (choice.hasSpan(within))
      return new TracedCall(options, nextCall, within, startCallSpan(options, within)) as unknown as InterceptingCall;
    const call = isEmpty(within) ? nextCall(options) : new TracedCall(options, nextCall, within, undefined);
    return call as InterceptingCall;
  };
}

/** A call whose context goes with it. It listens for the end of the call itself, and only where it has a span that is recorded. */
class TracedCall implements InnerCall, InterceptingListener {
  readonly #span: Span | undefined;
  readonly #active: Context;
  readonly #call: InnerCall;
  #listener: Partial<InterceptingListener> | undefined;

  constructor(options: InterceptorOptions, nextCall: NextCall, within: Context, span: Span | undefined) {
    this.#span = span;
    this.#active = span ? trace.setSpan(within, span) : within;
    this.#call = span ? context.with(this.#active, nextCall, undefined, options) : nextCall(options);
  }

  start(metadata: Metadata, listener: Partial<InterceptingListener> = {}): void {
    propagation.inject(this.#active, metadata, metadataSetter);
    if (this.#span?.isRecording()) {
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
    if (this.#span) this.#endSpan(this.#span, result);
    listener?.onReceiveStatus?.(result);
  }

  #endSpan(span: Span, result: StatusObject): void {
    noteServerAddress(span, this.getPeer());
    const isError = result.code !== status.OK;
    const reason = isError ? refusalOf(result)?.reason : undefined;
    if (reason !== undefined) span.setAttribute(spanAttributes.reason, reason);
    endSpan(span, result, isError);
  }
}

function startCallSpan({ method_definition: { path } }: InterceptorOptions, within: Context): Span {
  const name = methodName(path);
  return tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes: rpcAttributes(name) }, within);
}

/** Notes where a call went, by the peer that grpc-js tells, or the target before there is a connection: address and port, or the path of a socket. */
function noteServerAddress(span: Span, peer: string): void {
  const { address, port } = rememberedBy(serverAddresses, peer, () => parseServerAddress(peer));
  if (address !== undefined) span.setAttribute('server.address', address);
  if (port !== undefined) span.setAttribute('server.port', port);
}

interface ServerAddress {
  readonly address?: string;
  readonly port?: number;
}

const serverAddresses = new Map<string, ServerAddress>();

function parseServerAddress(peer: string): ServerAddress {
  const [, bracketed, plain, port] = /^(?:dns:(?:\/\/[^/]*\/)?|ipv[46]:)?(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(peer) ?? [];
  const address = bracketed ?? plain;
  if (address !== undefined) return { address, port: Number(port) };
  return peer.startsWith('unix:') ? { address: peer.slice('unix:'.length) } : {};
}

const metadataSetter: TextMapSetter<Metadata> = { set: (metadata, key, value) => metadata.set(key, value) };
