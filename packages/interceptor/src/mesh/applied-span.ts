import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import type { RevocationFeed } from '@tokenmesh/revocation';
import { spanAttributes as attribute, spanNames } from '../semantic-conventions.ts';
import { parseTraceparent } from '../traceparent.ts';
import { isTracingOff, spanChoice, type TracingOptions } from '../tracing.ts';

const tracer = trace.getTracer('@tokenmesh/interceptor');

/**
 * A span for every revocation that comes in and into force, from its arrival on; of what is read from the record, in bulk, there is none.
 *
 * It begins a trace of its own and is linked to the span that published the revocation, where the path says which. The path's word is nobody's
 * signature: it makes no parent, decides on no sampling, and is left out where it is malformed.
 *
 * @param tracing Which of them begin one. Default: as the SDK's sampler decides.
 */
export function traceApplied(feed: Pick<RevocationFeed, 'onApplied'>, issuer: string, tracing: TracingOptions = {}): void {
  const choice = spanChoice(tracing);
  feed.onApplied((applied) => {
    if (!applied || applied.path === 'record' || isTracingOff() || !choice.hasSpan(ROOT_CONTEXT)) return;
    const { event, path, receivedAtMs } = applied;
    const published = parseTraceparent(applied.traceparent());
    const attributes = {
      [attribute.issuer]: issuer,
      [attribute.revocationPath]: path,
      [attribute.revocationPosition]: event.n,
      [attribute.revocationTargets]: event.targets.length,
      [attribute.revocationKinds]: [...new Set(event.targets.map(({ kind }) => kind))],
    };
    const links = published ? [{ context: published }] : [];
    tracer.startSpan(spanNames.apply, { root: true, kind: SpanKind.CONSUMER, startTime: receivedAtMs, links, attributes }).end();
  });
}
