import { isSpanContextValid, trace } from '@opentelemetry/api';
import pino, { type DestinationStream } from 'pino';
import type { LogEntry } from './log-events.ts';

/** Where a service says what happened, one line of JSON for each entry. */
export interface Log {
  info(entry: LogEntry): void;
  warn(entry: LogEntry): void;
}

/**
 * The log of a process: `level` in words, `time` (ISO 8601, UTC), `service`, `event` and its members, and the ids of the span that is active, so that a line is found from a
 * trace and a trace from a line.
 *
 * @param destination Default standard output.
 */
export function createLog(service: string, destination: DestinationStream = pino.destination({ sync: true })): Log {
  return pino(
    {
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: idsOfActiveSpan,
    },
    destination,
  );
}

function idsOfActiveSpan(): object {
  const span = trace.getActiveSpan()?.spanContext();
  if (!span || !isSpanContextValid(span)) return {}; // without an SDK there are spans of zeros
  return { trace_id: span.traceId, span_id: span.spanId, trace_flags: span.traceFlags.toString(16).padStart(2, '0') };
}
