import type { Reason } from '@tokenmesh/token';
import type { Alarm, FeedRequest, Freshness } from './freshness.ts';

/** What happened to a feed, for operators. Holds no token. */
export type FeedStatus =
  /** Freshness changed from one state to another. */
  | { readonly type: 'freshness'; readonly freshness: Freshness }
  /** A path came up, or went down, or is in use from now on. */
  | { readonly type: 'path'; readonly path: string; readonly event: 'up' | 'down' | 'chosen'; readonly error?: unknown }
  /** A message or an answer that does not come from the issuer of this log, or is malformed, was ignored. */
  | { readonly type: 'rejected'; readonly path: string; readonly reason: Reason; readonly message: string }
  /** A question to the record failed; it is asked again, after a pause. */
  | { readonly type: 'request-failed'; readonly request: 'keys' | FeedRequest['type']; readonly error: unknown }
  /** A listener of `onApplied` threw. */
  | { readonly type: 'listener-failed'; readonly error: unknown }
  | { readonly type: 'alarm'; readonly alarm: Alarm };

/** Tells what happens to a feed to whoever watches it. */
export interface FeedReports {
  /** Never throws. */
  report(status: FeedStatus): void;
  /** What is reported from the first look on, until the feed is closed. Of a slow reader's backlog the newest 256 are kept. */
  status(): AsyncIterable<FeedStatus>;
  /** From now on nobody is told. */
  clear(): void;
}

const statusBacklog = 256;

/** @param report Told everything. */
export function createFeedReports(closing: AbortSignal, report?: (status: FeedStatus) => void): FeedReports {
  const reporters = new Set(report && [report]);

  async function* statuses(): AsyncGenerator<FeedStatus> {
    const backlog: FeedStatus[] = [];
    let wake = Promise.withResolvers<void>();
    const reporter = (status: FeedStatus) => {
      backlog.push(status);
      if (backlog.length > statusBacklog) backlog.shift();
      wake.resolve();
    };
    const onClose = () => wake.resolve();
    reporters.add(reporter);
    closing.addEventListener('abort', onClose);
    try {
      while (true) {
        const next = backlog.shift();
        if (next !== undefined) yield next;
        else if (closing.aborted) return;
        else {
          await wake.promise;
          wake = Promise.withResolvers();
        }
      }
    } finally {
      reporters.delete(reporter);
      closing.removeEventListener('abort', onClose);
    }
  }

  return {
    report(status) {
      for (const reporter of reporters) {
        try {
          reporter(status);
        } catch {
          // Whoever watches must not be able to stop what is watched, and there is nobody else to tell.
        }
      }
    },
    status: () => ({ [Symbol.asyncIterator]: statuses }),
    clear: () => reporters.clear(),
  };
}
