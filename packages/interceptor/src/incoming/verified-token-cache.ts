import { hash } from 'node:crypto';
import type { VerifiedToken } from '@tokenmesh/token';
import type { Caller } from './caller.ts';

/** One verified token, with what the checks of every call need. */
export interface CacheEntry<Issuer> {
  readonly token: VerifiedToken;
  readonly caller: Caller;
  /** Whose token it is: its revocations count, and no others. */
  readonly issuer: Issuer;
  /** Until when it need not be verified anew; a signature holds for ever, an issuer's word does not. */
  readonly keptUntilMs: number;
  /** `RevocationSet.version` at which no revocation covered the token; -1: never looked. */
  clearedAt: number;
}

/**
 * Tokens that were verified before, least recently used dropped first.
 *
 * The key is the SHA-256 of the whole token: no two tokens share it, and a token's prefix says nothing. Only tokens that passed the strict
 * layer get in, so that one token has one spelling. Nothing is trusted for being here but the claims: times, revocation, binding
 * and rule are checked on every call.
 */
export interface VerifiedTokenCache<Issuer> {
  get(compact: string): CacheEntry<Issuer> | undefined;
  add(compact: string, entry: CacheEntry<Issuer>): void;
}

/** @param maxEntries At least 1. An entry takes about 1 KiB. */
export function createVerifiedTokenCache<Issuer>(maxEntries: number): VerifiedTokenCache<Issuer> {
  const entries = new Map<string, CacheEntry<Issuer>>();
  // the same connection usually presents the same token again: comparing is cheaper than hashing
  let lastCompact = '';
  let lastEntry: CacheEntry<Issuer> | undefined;
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
