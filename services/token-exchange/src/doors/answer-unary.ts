import type { handleUnaryCall, ServerUnaryCall } from '@grpc/grpc-js';
import { toStatus } from '@tokenmesh/interceptor';
import { TokenError } from '@tokenmesh/token';
import type { EventLog } from '../event-log.ts';

/**
 * A gRPC handler out of an asynchronous function. The one place where an error of this service becomes a status, and where it is logged:
 * refusals with their reason, everything else as a failure, whose text does not leave the process.
 */
export function answerUnary<Request, Response>(
  log: EventLog,
  work: (call: ServerUnaryCall<Request, Response>) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    work(call).then(
      (response) => callback(null, response),
      (error: unknown) => {
        logError(log, call.getPath(), error);
        callback(toStatus(error));
      },
    );
  };
}

export function logError(log: EventLog, method: string, error: unknown): void {
  if (error instanceof TokenError) log.warn({ event: 'call.refused', method, reason: error.reason, detail: error.message });
  else log.error({ event: 'call.failed', method, err: error });
}
