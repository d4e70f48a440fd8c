import { isSpanContextValid, trace } from '@opentelemetry/api';
import pino, { type DestinationStream, type LevelWithSilent, type Logger } from 'pino';
import { ConfigError } from './config/config-problem.ts';

const levels: readonly string[] = ['error', 'warn', 'info', 'silent'] satisfies readonly LevelWithSilent[];

/**
 * The log of the process: one JSON object per line with `level` in words, `time` (ISO 8601, UTC), `service`, `event` and its members, and of the span
 * that is active `trace_id`, `span_id` and `trace_flags`, in hexadecimal as OpenTelemetry writes them in logs that are not OTLP. Without a span these are absent.
 *
 * @param level `error`, `warn`, `info` or `silent`: the least that is written. Default `info`.
 * @param destination Default standard output.
 * @throws {ConfigError} The level is something else.
 */
export function createServiceLog(
  service: string,
  level = 'info',
  destination: DestinationStream = pino.destination({ sync: true }),
): Logger {
  if (!levels.includes(level)) throw new ConfigError([`TOKENMESH_LOG_LEVEL: "${level}", expected ${levels.join(', ')}`]);
  return pino(
    {
      level,
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
