import { isSpanContextValid, type SpanContext, TraceFlags } from '@opentelemetry/api';

const traceparent = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/**
 * The context of a span as it travels with a revocation, whatever propagator the program has; `undefined` when the span is not sampled or is none,
 * so that nothing travels which leads nowhere.
 *
 * @see W3C Trace Context, section 3.2, version 00.
 */
export function formatTraceparent(context: SpanContext): string | undefined {
  if (!isSpanContextValid(context) || (context.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  return `00-${context.traceId}-${context.spanId}-01`;
}

/** The span that a `traceparent` names, for a link and nothing else: anybody may have written it. `undefined` for everything that is none. */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = traceparent.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const context: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
  return isSpanContextValid(context) ? context : undefined;
}
