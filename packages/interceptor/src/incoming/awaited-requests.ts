import { type ServerInterceptingCall, status } from '@grpc/grpc-js';

/**
 * Calls whose one request has not come in whole: those that wait for too long end DEADLINE_EXCEEDED. grpc-js has no limit of its own, and what
 * a client says of its deadline is not to be relied on (CVE-2026-48854). The call ends, with all that is kept for it; the client's half of the
 * HTTP/2 stream is closed by the client, or with the connection, and counts towards `grpc.max_concurrent_streams`.
 */
export interface AwaitedRequests {
  add(call: ServerInterceptingCall): void;
  delete(call: ServerInterceptingCall): void;
  /** Stops the timer; calls go on. */
  close(): void;
}

/**
 * @param maxWaitMs 1…2^31-1. A call is ended when it has waited for this long, at the latest for twice as long: two generations of calls take
 *   the place of a timer for each.
 */
export function createAwaitedRequests(maxWaitMs: number): AwaitedRequests {
  if (!(Number.isInteger(maxWaitMs) && maxWaitMs >= 1 && maxWaitMs < 2 ** 31))
    throw new TypeError('maxUnaryWaitMs must be 1 to 2147483647');
  let young = new Set<ServerInterceptingCall>();
  let old = new Set<ServerInterceptingCall>();
  const timer = setInterval(() => {
    const overdue = old;
    old = young;
    young = new Set();
    for (const call of overdue)
      call.sendStatus({ code: status.DEADLINE_EXCEEDED, details: `the request did not come within ${maxWaitMs} ms` });
  }, maxWaitMs).unref();
  return {
    add: (call) => void young.add(call),
    delete: (call) => void (young.delete(call) || old.delete(call)),
    close: () => clearInterval(timer),
  };
}
