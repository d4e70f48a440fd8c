import {
  type Metadata,
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import { type Context, context, propagation, ROOT_CONTEXT, type Span, SpanKind, type TextMapGetter, trace } from '@opentelemetry/api';
import { type Message, ServerCallLayer, type ServerCallStatus } from '../server-call-layer.ts';
import { endSpan, isTracingOff, methodName, rpcAttributes, type SpanChoice, spanChoice, type TracingOptions, tracer } from '../tracing.ts';

/**
 * A span for every incoming call, refused ones included, as a child of the caller's. Handlers of all four kinds of call run with it active,
 * so that what they call belongs to the same trace. Calls go by untouched while no SDK and no propagator is registered. Those that have no span by `traceRatio`
 * run in the context that came with them, in an empty one where none came.
 *
 * @throws {TypeError} When `traceRatio` is out of its range.
 */
export function tracingServerInterceptor(tracing: TracingOptions = {}): ServerInterceptor {
  const traceCall = callTracer(tracing);
  // the cast holds: grpc-js asks of a call what its interface has
  return ({ path }, nextCall) => traceCall(path, nextCall) ?? (nextCall as ServerInterceptingCall);
}

/** Makes of an incoming call one that is traced; `undefined` while no SDK and no propagator is registered. */
export type CallTracer = (path: string, call: ServerInterceptingCallInterface) => TracedCall | undefined;

/** @throws {TypeError} When `traceRatio` is out of its range. */
export function callTracer(tracing: TracingOptions): CallTracer {
  const choice = spanChoice(tracing);
  return (path, call) => (isTracingOff() ? undefined : new TracedCall(path, call, choice));
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

/** See `tracingServerInterceptor`. */
export class TracedCall extends ServerCallLayer {
  readonly #path: string;
  readonly #choice: SpanChoice;
  #span: Span | undefined;
  #active: Context = ROOT_CONTEXT;

  constructor(path: string, call: ServerInterceptingCallInterface, choice: SpanChoice) {
    super(call);
    this.#path = path;
    this.#choice = choice;
  }

  /** The call's span while it is recorded: not when it has none or is sampled out, nor before the call's metadata came, nor after the call's end. */
  get recorded(): Span | undefined {
    return this.#span;
  }

  override onReceiveMetadata(metadata: Metadata): void {
    const came = propagation.extract(ROOT_CONTEXT, metadata, metadataGetter);
    if (this.#choice.hasSpan(came)) this.#startSpan(came);
    else this.#active = this.#choice.leaveOut(came);
    if (this.#isEntered()) this.listener.onReceiveMetadata(metadata);
    else context.with(this.#active, () => this.listener.onReceiveMetadata(metadata));
  }

  // grpc-js starts the handler from any of the three, outside the context of the others
  override onReceiveMessage(message: Message): void {
    if (this.#isEntered()) this.listener.onReceiveMessage(message);
    else context.with(this.#active, () => this.listener.onReceiveMessage(message));
  }

  override onReceiveHalfClose(): void {
    if (this.#isEntered()) this.listener.onReceiveHalfClose();
    else context.with(this.#active, () => this.listener.onReceiveHalfClose());
  }

  override onCancel(): void {
    this.#end({ code: status.CANCELLED }, false);
    this.#active = ROOT_CONTEXT;
    super.onCancel();
  }

  override sendStatus(result: ServerCallStatus): void {
    this.#end(result, serverErrors.has(result.code ?? status.UNKNOWN));
    this.call.sendStatus(result);
  }

  #startSpan(parent: Context): void {
    const name = methodName(this.#path);
    const span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes: rpcAttributes(name) }, parent);
    if (span.isRecording()) this.#span = span;
    this.#active = trace.setSpan(parent, span);
  }

  /** An empty context need not be entered, unless an interceptor of the program entered another one. */
  #isEntered(): boolean {
    return context.active() === this.#active;
  }

  #end(result: Parameters<typeof endSpan>[1], isError: boolean): void {
    const span = this.#span;
    this.#span = undefined;
    if (span) endSpan(span, result, isError);
  }
}

const metadataGetter: TextMapGetter<Metadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  get(metadata, key) {
    const values = metadata.get(key);
    if (values.length > 1) return values.map(String);
    // of what is absent a propagator would make an empty list, and pass that on
    return values[0] === undefined ? undefined : String(values[0]);
  },
};
