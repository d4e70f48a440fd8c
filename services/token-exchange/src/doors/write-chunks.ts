import { once } from 'node:events';
import { Metadata, type ServerWritableStream, type ServiceError, status } from '@grpc/grpc-js';

/**
 * Writes messages to a stream, two of which are under way at most: the stream itself would take sixteen, whatever their size. Resolves when the last has
 * left the process, or nobody is there to read it.
 *
 * @param until Ends it: a reader that has not taken everything by then is too slow.
 * @throws {ServiceError} DEADLINE_EXCEEDED when `until` was aborted before.
 */
export async function writeChunks<Message>(
  call: ServerWritableStream<unknown, Message>,
  messages: Iterable<Message>,
  until: AbortSignal,
): Promise<void> {
  const done = new AbortController();
  const stopped = once(call, 'cancelled', { signal: AbortSignal.any([done.signal, until]) }).catch(() => undefined);
  const taken = async (written: Promise<void> | undefined) => {
    await Promise.race([written, stopped]);
    if (until.aborted) throw tooSlow();
  };
  let last: Promise<void> | undefined;
  try {
    for (const message of messages) {
      const earlier = last;
      last = new Promise((resolve) => call.write(message, () => resolve()));
      await taken(earlier);
      if (call.cancelled) return;
    }
    await taken(last);
  } finally {
    done.abort();
  }
}

function tooSlow(): ServiceError {
  const [code, details] = [status.DEADLINE_EXCEEDED, 'the stream is read too slowly'];
  return Object.assign(new Error(details), { code, details, metadata: new Metadata() });
}
