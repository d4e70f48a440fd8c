import type { LogEventName } from './log-events.ts';
import { findMeter } from './metrics/meter.ts';

/**
 * Where the service says what happened, one object per line. `event` names it; nothing in it is ever a token, key or assertion: tokens are
 * named by `jti`. A pino logger is one.
 */
export interface EventLog {
  info(entry: LogEntry): void;
  warn(entry: LogEntry): void;
  error(entry: LogEntry): void;
}

export interface LogEntry {
  readonly event: LogEventName;
  readonly [detail: string]: unknown;
}

/** A problem that goes on is said again after this long. */
const repeatMs = 30_000;

/** Counts problems in the background, and warns of them, of one that repeats itself every 30 s only: an outage does not fill the log. */
export function createProblemLog(log: EventLog, now: () => number): (event: LogEventName, problem: unknown) => void {
  const problems = findMeter()?.createCounter('tokenmesh.problems', {
    description: 'Work in the background that failed and is tried again',
    unit: '{problem}',
  });
  const saidAt = new Map<string, number>();
  return (event, problem) => {
    problems?.add(1, { 'tokenmesh.problem': event });
    const text = `${event} ${problem instanceof Error ? problem.message : ''}`;
    const nowMs = now();
    for (const [said, atMs] of saidAt) if (nowMs - atMs >= repeatMs) saidAt.delete(said);
    if (saidAt.has(text)) return;
    saidAt.set(text, nowMs);
    log.warn({ event, err: problem });
  };
}
