import { type Context, context, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { TokenError } from '@tokenmesh/token';
import { spanAttributes as attribute, spanNames } from '../semantic-conventions.ts';
import { refusalOf } from '../status.ts';
import type { TokenRequest } from './token-source.ts';

const tracer = trace.getTracer('@tokenmesh/interceptor');

/** The span of one exchange that any number of calls wait for: a child of the call that began it, and linked from the others. */
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
 * @param hasSpan `false`: it is in nobody's trace, and there is no span; what it runs is in the active context.
 */
export function startObtainSpan({ audience, onBehalfOf }: TokenRequest, cause: 'first' | 'refresh', hasSpan = true): ObtainSpan {
  if (!hasSpan) return { run: (work) => work(), share() {}, link() {} };
  const span = tracer.startSpan(spanNames.obtain, {
    attributes: {
      [attribute.tokenAudience]: audience,
      [attribute.obtainCause]: cause,
      [attribute.grantType]: onBehalfOf ? 'urn:ietf:params:oauth:grant-type:token-exchange' : 'client_credentials',
    },
  });
  let waiters = 1;

  function link(): void {
    const call = trace.getActiveSpan();
    if (call?.isRecording()) call.addLink({ context: span.spanContext(), attributes: { [attribute.obtainShared]: true } });
  }

  return {
    link,
    async run(work) {
      try {
        return await context.with(trace.setSpan(context.active(), span), work);
      } catch (error) {
        noteFailure(span, error);
        throw error;
      } finally {
        span.setAttribute(attribute.obtainWaiters, waiters).end();
      }
    },
    share() {
      waiters++;
      link();
    },
  };
}

/** Links the spans of exchanges that travel in one request to the span of the first, which that request belongs to. */
export function linkTogether([first, ...others]: readonly Context[]): void {
  const carrying = first && trace.getSpanContext(first);
  if (!carrying) return;
  for (const other of others) {
    const span = trace.getSpan(other);
    if (span?.isRecording()) span.addLink({ context: carrying, attributes: { [attribute.obtainShared]: true } });
  }
}

function noteFailure(span: Span, error: unknown): void {
  const reason = error instanceof TokenError ? error.reason : refusalOf(error as { metadata?: never })?.reason; // looks at nothing else of it
  if (reason !== undefined) span.setAttribute(attribute.reason, reason);
  span.setStatus({ code: SpanStatusCode.ERROR, message: reason ?? 'no answer' });
}
