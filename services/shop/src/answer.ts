import { type sendUnaryData, status } from '@grpc/grpc-js';
import { toStatus } from '@tokenmesh/interceptor';

/** Ends a call with what a promise comes to. */
export function answer<Response>(callback: sendUnaryData<Response>, response: Promise<Response>): void {
  response.then(
    (value) => callback(null, value),
    (error: unknown) => callback(toStatus(error)),
  );
}

/** An error that says that the request is wrong. */
export const invalid = (details: string): Error => Object.assign(new Error(details), { code: status.INVALID_ARGUMENT, details });
