import { type handleUnaryCall, Metadata, type ServerUnaryCall } from '@grpc/grpc-js';
import { toStatus } from '@tokenmesh/interceptor';
import { TokenError } from '@tokenmesh/token';
import type { EventLog } from '../event-log.ts';

/**
 * A gRPC handler out of an asynchronous function. The one place where an error of this service becomes a status, and where it is logged:
 * refusals with their reason, everything else as a failure, whose text does not leave the process.
 *
 * @param trailersOf What goes out with the answer, whatever it is; default nothing.
 */
export function answerUnary<Request, Response>(
  log: EventLog,
  work: (call: ServerUnaryCall<Request, Response>) => Promise<Response>,
  trailersOf: (call: ServerUnaryCall<Request, Response>) => Metadata = () => new Metadata(),
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    work(call).then(
      (response) => callback(null, response, trailersOf(call)),
      (error: unknown) => {
        logError(log, call.getPath(), error);
        const refused = toStatus(error);
        refused.metadata.merge(trailersOf(call));
        callback(refused);
      },
    );
  };
}

export function logError(log: EventLog, method: string, error: unknown): void {
  if (error instanceof TokenError) log.warn({ event: 'call.refused', method, reason: error.reason, detail: error.message });
  else log.error({ event: 'call.failed', method, err: error });
}
