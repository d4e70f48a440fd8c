import { type Context, context, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { TokenError } from '@tokenmesh/token';
import { spanAttributes as attribute, spanNames } from '../semantic-conventions.ts';
import { refusalOf } from '../status.ts';
import type { TokenRequest } from './token-source.ts';

const tracer = trace.getTracer('@tokenmesh/interceptor');

/**
 * The span of one exchange that any number of calls wait for: a child of the call that began it, and linked from the others. Where that call has none, a child of the
 * first that waits for it and is recorded, and from then on.
 */
export interface ObtainSpan {
  /** Runs inside the span, which ends with it. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** The active span, a call's, waits for this exchange as well: it gets a link, and is counted. */
  share(): void;
  /** The active span, a call's, ends as this exchange did without waiting for it: it gets a link. */
  link(): void;
}

/**
 * @param cause `refresh` when a token was held already.
 * @param hasSpan `false`: who began it is in no trace; what it runs is in the active context.
 */
export function startObtainSpan({ audience, onBehalfOf }: TokenRequest, cause: 'first' | 'refresh', hasSpan = true): ObtainSpan {
  const attributes = {
    [attribute.tokenAudience]: audience,
    [attribute.obtainCause]: cause,
    [attribute.grantType]: onBehalfOf ? 'urn:ietf:params:oauth:grant-type:token-exchange' : 'client_credentials',
  };
  let span = hasSpan ? tracer.startSpan(spanNames.obtain, { attributes }) : undefined;
  let waiters = 1;

  function link(): void {
    const call = trace.getActiveSpan();
    if (span && call?.isRecording()) call.addLink({ context: span.spanContext(), attributes: { [attribute.obtainShared]: true } });
  }

  return {
    link,
    async run(work) {
      try {
        return await (span ? context.with(trace.setSpan(context.active(), span), work) : work());
      } catch (error) {
        if (span) noteFailure(span, error);
        throw error;
      } finally {
        span?.setAttribute(attribute.obtainWaiters, waiters).end();
      }
    },
    share() {
      waiters++;
      if (span) link();
      else if (trace.getActiveSpan()?.isRecording()) span = tracer.startSpan(spanNames.obtain, { attributes });
    },
  };
}

/**
 * The context that a request belongs to in which exchanges travel together: that of the first whose span is recorded, else of the first. The spans of the
 * others are linked to it.
 */
export function carryTogether(first: Context, others: readonly Context[]): Context {
  const recorded = [first, ...others].filter((one) => trace.getSpan(one)?.isRecording());
  const [carrier = first] = recorded;
  const carrying = trace.getSpanContext(carrier);
  if (!carrying) return carrier;
  for (const other of recorded) {
    if (other !== carrier) trace.getSpan(other)?.addLink({ context: carrying, attributes: { [attribute.obtainShared]: true } });
  }
  return carrier;
}

function noteFailure(span: Span, error: unknown): void {
  const reason = error instanceof TokenError ? error.reason : refusalOf(error as { metadata?: never })?.reason; // looks at nothing else of it
  if (reason !== undefined) span.setAttribute(attribute.reason, reason);
  span.setStatus({ code: SpanStatusCode.ERROR, message: reason ?? 'no answer' });
}
