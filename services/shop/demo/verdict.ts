import { type ServiceError, status } from '@grpc/grpc-js';
import { refusalOf } from '@tokenmesh/interceptor';

/** What a call came to: `OK`, or its status and, where the mesh refused it, the reason: `UNAUTHENTICATED TOKEN_EXPIRED`. */
export const verdict = (call: Promise<unknown>): Promise<string> => call.then(() => 'OK', verdictOf);

/** The same for an error that a call ended with. */
export function verdictOf(error: unknown): string {
  // The cast holds: grpc-js rejects with nothing else.
  const failed = error as ServiceError;
  return [status[failed.code] ?? String(error), refusalOf(failed)?.reason].filter(Boolean).join(' ');
}
