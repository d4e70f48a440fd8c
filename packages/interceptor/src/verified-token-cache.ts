import { hash } from 'node:crypto';
import type { VerifiedToken } from '@tokenmesh/token';
import type { Caller } from './caller.ts';

/** One token whose signature and claims were verified, with what the checks of every call need. */
export interface CacheEntry {
  readonly token: VerifiedToken;
  readonly caller: Caller;
  /** `RevocationSet.version` at which no revocation covered the token; -1: never looked. */
  clearedAt: number;
}

/**
 * Tokens whose signature was verified before, least recently used dropped first.
 *
 * The key is the SHA-256 of the whole token: no two tokens share it, and a token's prefix says nothing. Only tokens that passed the strict
 * layer get in, so that one token has one spelling. Nothing is trusted for being here but signature and claims: times, revocation, binding
 * and rule are checked on every call.
 */
export interface VerifiedTokenCache {
  get(compact: string): CacheEntry | undefined;
  add(compact: string, entry: CacheEntry): void;
}

/** @param maxEntries At least 1. An entry takes about 1 KiB. */
export function createVerifiedTokenCache(maxEntries: number): VerifiedTokenCache {
  const entries = new Map<string, CacheEntry>();
  // the same connection usually presents the same token again: comparing is cheaper than hashing
  let lastCompact = '';
  let lastEntry: CacheEntry | undefined;
  return {
    get(compact) {
      if (compact === lastCompact) return lastEntry;
      const key = hash('sha256', compact, 'base64');
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      lastCompact = compact;
      lastEntry = entry;
      return entry;
    },
    add(compact, entry) {
      entries.set(hash('sha256', compact, 'base64'), entry);
      if (entries.size > maxEntries) {
        const [oldest] = entries.keys();
        if (oldest !== undefined) entries.delete(oldest);
      }
      lastCompact = compact;
      lastEntry = entry;
    },
  };
}
