import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import type { EventLog, LogEntry } from './event-log.ts';
import type { LogEventName, LogLevel } from './log-events.ts';

/** What callers can cause as often as they call. */
const causedByCallers: ReadonlySet<LogEventName> = new Set(['call.refused', 'call.failed', 'token.refused', 'grpc.message']);
/** Lines of one event and reason in a second. */
const linesPerWindow = 10;
const windowMs = 1000;

export interface LimitedLog extends EventLog {
  /** Says what is still unsaid of what was left out. */
  close(): void;
}

/**
 * Passes everything on, but of what callers cause at most 10 lines a second for each event and reason, so that nobody's refusals fill the disk or hide
 * those with another reason. How many were left out is said in a line `log.left_out` when their second is over. Metrics and the audit trail count all.
 */
export function limitLog(log: EventLog): LimitedLog {
  const written = new Map<string, { readonly of: LogEventName; readonly reason?: string; count: number }>();
  let window: NodeJS.Timeout | undefined;

  function endWindow(): void {
    clearTimeout(window);
    window = undefined;
    const seen = [...written.values()];
    written.clear();
    for (const { count, ...what } of seen) {
      if (count > linesPerWindow) log.warn({ event: 'log.left_out', ...what, count: count - linesPerWindow });
    }
  }

  function pass(level: LogLevel, entry: LogEntry): void {
    if (!causedByCallers.has(entry.event) || isWithinLimit(entry)) log[level](entry);
  }

  function isWithinLimit({ event, reason }: LogEntry): boolean {
    // a timer keeps the context that it is set in: of one call, and what is left out is of many
    window ??= context.with(ROOT_CONTEXT, () => setTimeout(endWindow, windowMs).unref());
    const key = `${event} ${reason}`;
    const known = written.get(key) ?? { of: event, ...(typeof reason === 'string' && { reason }), count: 0 };
    written.set(key, known);
    known.count++;
    return known.count <= linesPerWindow;
  }

  return {
    info: (entry) => pass('info', entry),
    warn: (entry) => pass('warn', entry),
    error: (entry) => pass('error', entry),
    close: endWindow,
  };
}
