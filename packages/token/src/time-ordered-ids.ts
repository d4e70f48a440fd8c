import { randomFillSync } from 'node:crypto';

/** Of base64url, in the order of ASCII, in which databases sort text. */
const alphabet = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';
const timeChars = 8;
const randomBytesEach = 10;
/** Random bytes that are fetched at once: one call costs as much for a few as for thousands. */
const poolBytes = 400 * randomBytesEach;

/**
 * Makes ids of 22 characters of base64url: the milliseconds since epoch in 48 bits, so that ids sort as text by when they were made, and 80 random bits.
 *
 * Ids that are made one after the other lie beside one another in an index, which then has a few pages to write where random ids have one for each of them.
 * Nobody can guess one. Whoever reads one learns when it was made, as from the `iat` beside it.
 *
 * @param now Milliseconds since epoch. A clock that steps back costs the order, not uniqueness.
 * @see RFC 9562 section 5.7, whose UUIDs are built likewise and take 36 characters
 */
export function createTimeOrderedIds(now: () => number): () => string {
  const pool = Buffer.alloc(poolBytes);
  let used = poolBytes;
  let prefixMs = Number.NaN;
  let prefix = '';
  return () => {
    const ms = Math.floor(now());
    if (ms !== prefixMs) {
      prefixMs = ms;
      prefix = sortableTime(ms);
    }
    if (used === poolBytes) {
      randomFillSync(pool);
      used = 0;
    }
    used += randomBytesEach;
    return prefix + pool.toString('base64url', used - randomBytesEach, used);
  };
}

function sortableTime(ms: number): string {
  let text = '';
  for (let rest = ms, digits = 0; digits < timeChars; digits++) {
    text = alphabet.charAt(rest % 64) + text;
    rest = Math.floor(rest / 64);
  }
  return text;
}
