import { inspect } from 'node:util';
import { setLogger } from '@grpc/grpc-js';
import { getLogger } from '@grpc/grpc-js/build/src/logging.js';

// whatever the value is: a byte that HTTP allows and gRPC does not may stand in the middle of a token
const rejectedEntry = /^(Failed to add metadata entry [^\s:]+): .*$/s;
const credential = /\b(Bearer|DPoP) [^\s"',\\]+/gi;
// A JOSE header in base64url begins with `{"`, which is `eyJ`; an opaque token with `tm_`.
const token = /eyJ[\w-]{8,}[\w.-]*|\btm_[\w-]{20,}/g;

/**
 * Keeps credentials out of what grpc-js logs, from now on and for the whole process: values of metadata entries that it rejects, which it
 * prints whole to standard error, and whatever looks like a credential, as under `GRPC_TRACE`. What is left goes to the logger that was set before.
 *
 * A program that calls grpc-js's `setLogger` later logs as it pleases.
 */
export function redactGrpcLog(): void {
  const logger = getLogger();
  if (redacting.has(logger)) return;
  const redact =
    (log: keyof Console & ('error' | 'info' | 'debug')) =>
    (...values: unknown[]) =>
      (logger[log] ?? logger.error)?.call(logger, ...values.map(withoutCredentials));
  const redacted = { error: redact('error'), info: redact('info'), debug: redact('debug') };
  redacting.add(redacted);
  setLogger(redacted);
}

const redacting = new WeakSet<object>();

function withoutCredentials(value: unknown): string {
  const text = typeof value === 'string' ? value : inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  return text.replace(rejectedEntry, '$1').replace(credential, '$1 …').replace(token, '…');
}
