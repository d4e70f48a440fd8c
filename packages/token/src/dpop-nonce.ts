import { createHmac } from 'node:crypto';

/** The nonces that DPoP proofs have to hold: whoever once had the use of a key cannot have made proofs for later. */
export interface DpopNonces {
  /** For the next proof; the same for all clients until its window is over. 22 characters of base64url. */
  current(): string;
  /** What a proof of now may hold: the nonces of this window and of the one before. */
  accepted(): readonly string[];
}

/** A nonce is accepted for 5 to 10 minutes: long enough to spare clients a second round trip on most requests, and short for a proof that was made ahead. */
export const nonceWindowMs = 5 * 60_000;
/** How far the clock of another replica may be ahead. */
const clockToleranceMs = 5000;

/**
 * Nonces that nothing keeps: the MAC of the time window under a key. Servers that share the key accept what the others have given out.
 *
 * @param key At least 32 random bytes, used for nothing else.
 * @param now Milliseconds since epoch.
 * @throws {TypeError} The key is shorter.
 * @see RFC 9449 sections 8 and 9
 */
export function createDpopNonces(key: Buffer, now: () => number): DpopNonces {
  if (key.length < 32) throw new TypeError('the key of DPoP nonces must have at least 32 bytes');
  // the time is the only input: nobody without the key knows the nonce of a window that has not come
  const nonceOf = (window: number) => createHmac('sha256', key).update(`${window}`).digest().subarray(0, 16).toString('base64url');
  const windowAt = (ms: number) => Math.floor(ms / nonceWindowMs);
  return {
    current: () => nonceOf(windowAt(now())),
    accepted() {
      const windows = new Set([now() - nonceWindowMs, now(), now() + clockToleranceMs].map(windowAt));
      return [...windows].map(nonceOf);
    },
  };
}
