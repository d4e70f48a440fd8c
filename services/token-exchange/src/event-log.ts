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
  readonly event: string;
  readonly [detail: string]: unknown;
}

/** A problem that goes on is said again after this long. */
const repeatMs = 30_000;

/** Warns of problems in the background, and of one that repeats itself every 30 s only: an outage does not fill the log. */
export function createProblemLog(log: EventLog, now: () => number): (event: string, problem: unknown) => void {
  const saidAt = new Map<string, number>();
  return (event, problem) => {
    const text = `${event} ${problem instanceof Error ? problem.message : ''}`;
    const nowMs = now();
    for (const [said, atMs] of saidAt) if (nowMs - atMs >= repeatMs) saidAt.delete(said);
    if (saidAt.has(text)) return;
    saidAt.set(text, nowMs);
    log.warn({ event, err: problem });
  };
}
