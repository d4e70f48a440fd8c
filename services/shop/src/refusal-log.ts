import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import type { RefusedCall } from '@tokenmesh/interceptor';
import type { Log } from './log.ts';

/** Lines for one reason in a second. */
const linesPerWindow = 10;
const windowMs = 1_000;

export interface RefusalLog {
  /** For `createMesh`. */
  readonly onRefused: (refused: RefusedCall) => void;
  /** Says what is still unsaid of what was left out. */
  close(): void;
}

/**
 * Writes down which calls were refused and why: at most 10 lines a second for each reason, so that nobody's refusals fill the disk or hide those with another reason, and one
 * more with how many were left out when their second is over. Metrics count all.
 */
export function createRefusalLog(log: Log): RefusalLog {
  const refused = new Map<string, number>();
  let window: NodeJS.Timeout | undefined;

  function endWindow(): void {
    clearTimeout(window);
    window = undefined;
    for (const [reason, count] of refused) {
      if (count > linesPerWindow) log.warn({ event: 'log.left_out', of: 'call.refused', reason, count: count - linesPerWindow });
    }
    refused.clear();
  }

  return {
    onRefused({ method, error: { reason, message: detail }, peer }) {
      // a timer keeps the context that it is set in: of one call, and what is left out is of many
      window ??= context.with(ROOT_CONTEXT, () => setTimeout(endWindow, windowMs).unref());
      const count = (refused.get(reason) ?? 0) + 1;
      refused.set(reason, count);
      if (count <= linesPerWindow) log.warn({ event: 'call.refused', method, reason, detail, peer });
    },
    close: endWindow,
  };
}
