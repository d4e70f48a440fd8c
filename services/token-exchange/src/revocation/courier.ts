import { setTimeout as delay } from 'node:timers/promises';
import type { FeedPublisher } from '@tokenmesh/revocation';

/** An open courier is asked for again this long after an attempt failed. */
const retryMs = 2000;

/**
 * A publisher that need not be there yet: opened in the background, again and again, until it is. Until then events are rejected, which
 * leaves them in the outbox, and checkpoints are dropped. token-exchange so starts and revokes whatever the courier does.
 *
 * @param name Of the courier.
 * @param open Rejects while it cannot be opened.
 * @param onFailure Told each time.
 */
export function createCourier(name: string, open: () => Promise<FeedPublisher>, onFailure: (error: unknown) => void): FeedPublisher {
  const closing = new AbortController();
  let publisher: FeedPublisher | undefined;

  async function keepOpening(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        publisher = await open();
        return;
      } catch (error) {
        onFailure(error);
        await delay(retryMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      }
    }
  }
  const opening = keepOpening();

  return {
    name,
    get stream() {
      return publisher?.stream;
    },
    get isConnected() {
      return publisher?.isConnected ?? false;
    },
    async publishEvent(event) {
      if (!publisher) throw new Error(`${name} is not open yet`);
      await publisher.publishEvent(event);
    },
    publishCheckpoint: (compact) => publisher?.publishCheckpoint(compact),
    async close() {
      closing.abort();
      await opening;
      await publisher?.close();
    },
  };
}
