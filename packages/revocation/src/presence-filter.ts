/**
 * Says of most fingerprints that no entry has them. Most look-ups are for what is not there, and five in six of them end here, in memory that stays in
 * the processor's cache, instead of in the table.
 *
 * The first bits of a fingerprint name a bit, its 32nd to 28th another one in the same word: both are set for an entry.
 *
 * Each shard of the table has a part of its own, so that shards can be brought in one after the other.
 */
export class PresenceFilter {
  readonly #words: Uint32Array;
  readonly #shift: number;
  readonly #wordsPerShard: number;

  /** @param sizeLog2 Base-2 logarithm of the number of bits; at least that of the number of shards and 5, at most 31. */
  constructor(sizeLog2: number, shardCount: number) {
    this.#words = new Uint32Array(2 ** (sizeLog2 - 5));
    this.#shift = 32 - sizeLog2;
    this.#wordsPerShard = this.#words.length / shardCount;
  }

  /** Whether there can be an entry with these first 32 bits of its fingerprint. */
  mayHave(high: number): boolean {
    const bit = high >>> this.#shift;
    const both = (1 << (bit & 31)) | (1 << (high & 31));
    return ((this.#words[bit >>> 5] ?? 0) & both) === both;
  }

  add(high: number): void {
    const bit = high >>> this.#shift;
    this.#words[bit >>> 5] = (this.#words[bit >>> 5] ?? 0) | (1 << (bit & 31)) | (1 << (high & 31));
  }

  /** Forgets the entries of one shard. */
  clearShard(index: number): void {
    this.#words.fill(0, index * this.#wordsPerShard, (index + 1) * this.#wordsPerShard);
  }
}
