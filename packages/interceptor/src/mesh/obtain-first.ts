import { setTimeout as delay } from 'node:timers/promises';
import { isTransient } from '../outgoing/exchange-client.ts';
import type { TokenSource } from '../outgoing/token-source.ts';

const retryMs = 500;

/**
 * Resolves once there is a token for the audience; waits while token-exchange cannot be reached.
 *
 * @throws {ServiceError} When token-exchange refuses it: waiting would not help.
 * @throws The signal's reason, when it is aborted.
 */
export async function obtainFirst(
  audience: string,
  options: { readonly source: TokenSource; readonly signal: AbortSignal; readonly random: () => number },
): Promise<void> {
  const { source, signal, random } = options;
  for (;;) {
    signal.throwIfAborted();
    try {
      await source.get({ audience });
      return;
    } catch (error) {
      if (!isTransient((error as { code?: number }).code ?? -1)) throw error;
    }
    await delay(retryMs * (1 + random()), undefined, { signal, ref: false }).catch(() => {});
  }
}
