import { status } from '@grpc/grpc-js';
import {
  type Attributes,
  type Context,
  createContextKey,
  isSpanContextValid,
  ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';

/** Which calls begin traces. */
export interface TracingOptions {
  /**
   * Of the calls that would begin a trace, the part that does, 0…1: of the others there is no span and no header. A call within a trace takes part in it when that is sampled,
   * and passes its context on when it is not. Default: every call has a span, and the SDK's sampler decides on it.
   */
  readonly traceRatio?: number | undefined;
  /** At least 0 and less than 1. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

export const tracer = trace.getTracer('@tokenmesh/interceptor');

// what the API's proxy delegates to as long as nobody registered a provider
const noTracing = new ProxyTracerProvider().getDelegate();

/** Whether nobody would see a span, nor pass on its context: no SDK was registered so far, and no propagator. */
export function isTracingOff(): boolean {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider && provider.getDelegate() === noTracing && propagation.fields().length === 0;
}

/** What is decided of a call before it has a span. */
export interface SpanChoice {
  /** Whether a call that comes, or is made, in this context has one. */
  hasSpan(within: Context): boolean;
  /** The context for what belongs to an incoming call that has none: what is called from there is not asked about again. */
  leaveOut(within: Context): Context;
}

const leftOutKey = createContextKey('of a call that begins no trace');
const leftOut = ROOT_CONTEXT.setValue(leftOutKey, true);

/** @throws {TypeError} When the ratio is out of its range. */
export function spanChoice({ traceRatio, random = Math.random }: TracingOptions): SpanChoice {
  if (traceRatio === undefined) return { hasSpan: () => true, leaveOut: (within) => within };
  if (!(traceRatio >= 0 && traceRatio <= 1)) throw new TypeError('traceRatio must be 0 to 1');
  return {
    hasSpan(within) {
      const parent = trace.getSpanContext(within);
      if (parent && isSpanContextValid(parent)) return (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
      return within.getValue(leftOutKey) === undefined && random() < traceRatio;
    },
    leaveOut(within) {
      if (traceRatio === 0) return within; // what is called from there begins none anyhow
      return within === ROOT_CONTEXT ? leftOut : within.setValue(leftOutKey, true);
    },
  };
}

/** Whether a context holds nothing that a propagator could send. */
export function isEmpty(within: Context): boolean {
  return within === ROOT_CONTEXT || within === leftOut;
}

const methodNames = new Map<string, string>();

/** The full name of a method, its path without the slash that begins it: one string for all its spans, which is no part of another. */
export function methodName(path: string): string {
  return rememberedBy(methodNames, path, () => Buffer.from(path.slice(1)).toString());
}

export function rpcAttributes(name: string): Attributes {
  return { 'rpc.system.name': 'grpc', 'rpc.method': name };
}

// of methods and addresses a process has few; a client that calls ever new ones does not fill its memory
const mostRemembered = 1_000;

/** What `make` made of a text the last time, out of a map that holds no more than a thousand. */
export function rememberedBy<Value>(known: Map<string, Value>, text: string, make: () => Value): Value {
  const found = known.get(text);
  if (found !== undefined) return found;
  const made = make();
  if (known.size >= mostRemembered) known.clear();
  known.set(text, made);
  return made;
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
