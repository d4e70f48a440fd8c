import { type Context, ROOT_CONTEXT, type Span, SpanKind, trace } from '@opentelemetry/api';
import { spanAttributes as attribute, formatTraceparent, spanNames } from '@tokenmesh/interceptor';
import type { Target } from '@tokenmesh/revocation';

const tracer = trace.getTracer('@tokenmesh/token-exchange');

/** The span of an event's way from the commit to the courier. */
export interface PublishSpan {
  /** Goes with the event, so that verifiers link to this span; `undefined` where it is not sampled. */
  readonly traceparent: string | undefined;
  /** @param isSent Whether the courier took it. */
  end(isSent: boolean): void;
}

/**
 * Belongs to the trace of the first request that the event answers, and is linked to the others, which share the event.
 *
 * @param askedIn Contexts of the requests; empty: nobody traces.
 */
export function startPublishSpan(askedIn: readonly Context[], n: number, targets: readonly Target[]): PublishSpan {
  const [first = ROOT_CONTEXT, ...others] = askedIn;
  const links = others.flatMap((asked) => trace.getSpanContext(asked) ?? []).map((context) => ({ context }));
  const span: Span = tracer.startSpan(spanNames.publish, { kind: SpanKind.PRODUCER, links }, first);
  if (span.isRecording()) {
    span.setAttributes({
      [attribute.revocationPosition]: n,
      [attribute.revocationTargets]: targets.length,
      [attribute.revocationKinds]: [...new Set(targets.map(({ kind }) => kind))],
      [attribute.revocationRequests]: askedIn.length,
    });
  }
  return {
    traceparent: formatTraceparent(span.spanContext()),
    end(isSent) {
      span.setAttribute(attribute.revocationBroadcast, isSent ? 'sent' : 'pending').end();
    },
  };
}
