import type { VerifiedToken } from '@tokenmesh/token';
import type { Caller } from './caller.ts';

/** One verified token, with what the checks of every call need. */
export class CacheEntry<Issuer> {
  readonly compact: string;
  readonly token: VerifiedToken;
  readonly caller: Caller;
  /** Whose token it is: its revocations count, and no others. */
  readonly issuer: Issuer;
  /** Until when it need not be verified anew; a signature holds for ever (`undefined`), an issuer's word does not. */
  readonly keptUntilMs: number | undefined;
  /** `RevocationSet.version` at which no revocation covered the token; -1: never looked. */
  clearedAt = -1;
  /** Its neighbours by the time of last use: the cache's own. */
  newer: CacheEntry<Issuer> | undefined = undefined;
  older: CacheEntry<Issuer> | undefined = undefined;

  constructor(compact: string, token: VerifiedToken, caller: Caller, issuer: Issuer, keptUntilMs?: number) {
    this.compact = compact;
    this.token = token;
    this.caller = caller;
    this.issuer = issuer;
    this.keptUntilMs = keptUntilMs;
  }
}

/**
 * Tokens that were verified before, least recently used dropped first.
 *
 * A token is looked up by its end, 22 characters of its signature (or of an opaque token's chance), and then compared as a whole: what is found is the very
 * token that was verified. The end is 132 bits that nobody chooses, so that tokens do not get into each other's way. The token used last is compared first,
 * with whatever comes: how long that takes says how much of the beginning is equal, but eight characters at a time, and of a `jti` these are
 * 36 bits that have to be guessed at once, of a signature 48. Only tokens that passed the strict layer get in, so that one token has one spelling. Nothing is trusted for being here
 * but the claims: times, revocation, binding and rule are checked on every call.
 */
export interface VerifiedTokenCache<Issuer> {
  get(compact: string): CacheEntry<Issuer> | undefined;
  add(entry: CacheEntry<Issuer>): void;
}

const endLength = 22;
const bytesPerEntry = 1024;

/**
 * @param maxEntries At least 1. Fewer are kept when tokens are longer than 1 KiB on average: together they have at most `maxEntries` KiB. An entry takes twice the
 *   length of its token, which is about 1 KiB.
 */
export function createVerifiedTokenCache<Issuer>(maxEntries: number): VerifiedTokenCache<Issuer> {
  const maxBytes = maxEntries * bytesPerEntry;
  const entries = new Map<string, CacheEntry<Issuer>>();
  let bytes = 0;
  let newest: CacheEntry<Issuer> | undefined;
  let oldest: CacheEntry<Issuer> | undefined;

  function unlink(entry: CacheEntry<Issuer>): void {
    if (entry.newer) entry.newer.older = entry.older;
    else newest = entry.older;
    if (entry.older) entry.older.newer = entry.newer;
    else oldest = entry.newer;
  }

  function linkNewest(entry: CacheEntry<Issuer>): void {
    entry.newer = undefined;
    entry.older = newest;
    if (newest) newest.newer = entry;
    else oldest = entry;
    newest = entry;
  }

  function drop(entry: CacheEntry<Issuer>): void {
    unlink(entry);
    entries.delete(endOf(entry.compact));
    bytes -= entry.compact.length;
  }

  return {
    get(compact) {
      // the same connection usually presents the same token again
      if (newest?.compact === compact) return newest;
      const entry = entries.get(endOf(compact));
      if (entry?.compact !== compact) return undefined;
      unlink(entry);
      linkNewest(entry);
      return entry;
    },
    add(entry) {
      const end = endOf(entry.compact);
      const before = entries.get(end);
      if (before) drop(before);
      entries.set(end, entry);
      linkNewest(entry);
      bytes += entry.compact.length;
      while (oldest && oldest !== entry && (entries.size > maxEntries || bytes > maxBytes)) drop(oldest);
    },
  };
}

function endOf(compact: string): string {
  return compact.slice(-endLength);
}
