/**
 * Says of most fingerprints that no entry has them. Most look-ups are for what is not there, and 27 in 28 of them end here, with one access to memory,
 * instead of in the table.
 *
 * The first bits of a fingerprint name a word, its 32nd to 28th, 27th to 23rd and 22nd to 18th one bit each in that word: all three are set for an entry.
 *
 * Each shard of the table has a part of its own, so that shards can be brought in one after the other.
 */
export class PresenceFilter {
  readonly #words: Uint32Array;
  readonly #wordsPerShard: number;
  /** What the first 32 bits of a fingerprint are multiplied by. It is exact: a whole number over a power of two. */
  readonly #scale: number;

  constructor(wordsPerShard: number, shardCount: number) {
    this.#words = new Uint32Array(wordsPerShard * shardCount);
    this.#wordsPerShard = wordsPerShard;
    this.#scale = this.#words.length / 2 ** 32;
  }

  /** How many bits it has. */
  get size(): number {
    return this.#words.length * 32;
  }

  /** Whether there can be an entry with these first 32 bits of its fingerprint. */
  mayHave(high: number): boolean {
    const bits = bitsOf(high);
    return ((this.#words[Math.floor(high * this.#scale)] ?? 0) & bits) === bits;
  }

  add(high: number): void {
    const index = Math.floor(high * this.#scale);
    this.#words[index] = (this.#words[index] ?? 0) | bitsOf(high);
  }

  /** Forgets the entries of one shard. */
  clearShard(index: number): void {
    this.#words.fill(0, index * this.#wordsPerShard, (index + 1) * this.#wordsPerShard);
  }
}

function bitsOf(high: number): number {
  return (1 << (high & 31)) | (1 << ((high >>> 5) & 31)) | (1 << ((high >>> 10) & 31));
}
