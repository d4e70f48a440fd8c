import { EntryShard } from './entry-shard.ts';
import { Fingerprints } from './fingerprints.ts';
import { headOf, highOf, noEntries, PackedEntries, shardCount, shardOf, tailOf } from './packed-entries.ts';
import { PresenceFilter } from './presence-filter.ts';

/** Entries that one call of `expire` looks at: about a millisecond. */
const expireBudget = 16_384;

/** What is known of one target. */
export interface PackedEntry {
  readonly n: number;
  /** Seconds since epoch, rounded down; of an absolute kind too. */
  readonly t: number;
}

/**
 * A table from targets of one epoch to what is known of them. Each step is short however large the table is: it is in 1 024 shards, and one is moved
 * at a time.
 */
export class EntryTable {
  readonly #fingerprints: Fingerprints;
  readonly #shards: (EntryShard | undefined)[];
  /** Whether a shard is this table's alone. One that is not is copied before it changes. */
  readonly #isOwn = new Uint8Array(shardCount);
  readonly #until: number[];
  /** Bit k: whether a target of kind k can be in force. */
  #kinds = 0;
  #size: number;
  #nextToExpire = 0;
  #filter: PresenceFilter;
  /** Shards that the filter knows; it says nothing of the others yet. */
  #filtered = 0;

  constructor(from: string | PackedEntries) {
    const entries = typeof from === 'string' ? noEntries(from) : from;
    this.#fingerprints = new Fingerprints(entries.epoch);
    this.#shards = [...entries.shards];
    this.#until = [...entries.until];
    this.#noteKinds();
    this.#size = entries.size;
    this.#filter = new PresenceFilter(filterWordsFor(entries.size), shardCount);
  }

  get epoch(): string {
    return this.#fingerprints.epoch;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Whether any target of this kind can be in force.
   * @param kind Index in `targetKinds`, here and below.
   */
  has(kind: number): boolean {
    return (this.#kinds & (1 << kind)) !== 0;
  }

  /** Whether any target of a kind other than these can be in force. */
  hasBeside(kinds: number): boolean {
    return (this.#kinds & ~kinds) !== 0;
  }

  find(kind: number, value: string): PackedEntry | undefined {
    if (!this.has(kind)) return undefined;
    const fingerprints = this.#fingerprints;
    fingerprints.take(kind, value);
    const { high, low } = fingerprints;
    if (this.#filtered < shardCount) this.#filterNextShard();
    else if (!this.#filter.mayHave(high)) return undefined;
    const shard = this.#shards[shardOf(high)];
    if (shard === undefined) return undefined;
    const at = shard.search(headOf(high, low), tailOf(low));
    return at < 0 ? undefined : { n: shard.n(at), t: shard.t(at) };
  }

  /**
   * Adds a target, or makes what is known of it cover more: the highest `n` and `t` and the latest `exp` count.
   * @returns Whether anything changed.
   */
  add(kind: number, value: string, n: number, t: number, exp: number): boolean {
    this.#until[kind] = Math.max(this.#until[kind] ?? -1, exp);
    this.#kinds |= 1 << kind;
    this.#fingerprints.take(kind, value);
    const { high, low } = this.#fingerprints;
    const changed = this.#put(shardOf(high), headOf(high, low), tailOf(low), n, t, exp);
    this.#keepFilter();
    this.#filter.add(high); // last: it may be another filter now
    return changed;
  }

  /** Takes over what one shard of `entries`, of the same epoch, holds. */
  mergeShard(index: number, entries: PackedEntries): void {
    for (const [kind, exp] of entries.until.entries()) this.#until[kind] = Math.max(this.#until[kind] ?? -1, exp);
    this.#noteKinds();
    const added = entries.shards[index];
    if (added === undefined) return;
    const held = this.#shards[index];
    const merged = held === undefined ? added : EntryShard.merge(held, added);
    this.#shards[index] = merged;
    this.#isOwn[index] = held === undefined ? 0 : 1;
    this.#size += merged.count - (held?.count ?? 0);
    if (index < this.#filtered) this.#filterShard(index, merged);
    this.#keepFilter();
  }

  /** Everything as it is now. Costs no copy: shards are shared until they change. */
  capture(): PackedEntries {
    this.#isOwn.fill(0);
    return new PackedEntries({ epoch: this.epoch, size: this.#size, until: [...this.#until], shards: [...this.#shards] });
  }

  /**
   * Forgets targets with an `exp` below `nowSeconds`: of a large table a part, and the next call goes on from there.
   * @returns Whether nothing more is to be forgotten at this time.
   */
  expire(nowSeconds: number): boolean {
    for (const [kind, exp] of this.#until.entries()) if (exp < nowSeconds) this.#until[kind] = -1;
    this.#noteKinds();
    let left = expireBudget;
    for (let visited = 0; visited < shardCount; visited++) {
      if (left <= 0) return false;
      const index = this.#nextToExpire;
      this.#nextToExpire = (index + 1) % shardCount;
      const shard = this.#shards[index];
      if (shard === undefined || shard.earliest >= nowSeconds) continue;
      left -= shard.count;
      const own = this.#ownShard(index, shard);
      this.#size -= own.expire(nowSeconds);
      if (own.count === 0) this.#shards[index] = undefined;
      this.#filter.clearShard(index);
      if (index < this.#filtered) this.#filterShard(index, own);
    }
    this.#keepFilter();
    return true;
  }

  #noteKinds(): void {
    this.#kinds = this.#until.reduce((kinds, exp, kind) => (exp < 0 ? kinds : kinds | (1 << kind)), 0);
  }

  /** Replaces a filter that is too full to be of use, or too large for what is left; and goes on with one that is being filled. */
  #keepFilter(): void {
    const { size } = this.#filter;
    const words = filterWordsFor(this.#size);
    if (this.#size > size * fullLoad || words * shardCount * 32 * 4 < size) {
      this.#filter = new PresenceFilter(words, shardCount);
      this.#filtered = 0;
    }
    if (this.#filtered < shardCount) this.#filterNextShard();
  }

  #filterNextShard(): void {
    const index = this.#filtered++;
    const shard = this.#shards[index];
    if (shard !== undefined) this.#filterShard(index, shard);
  }

  #filterShard(index: number, shard: EntryShard): void {
    shard.eachHead((head) => this.#filter.add(highOf(index, head)));
  }

  #put(index: number, head: number, tail: number, n: number, t: number, exp: number): boolean {
    const found = this.#shards[index] ?? this.#addShard(index);
    const at = found.search(head, tail);
    if (at < 0) {
      this.#ownShard(index, found).insert(-1 - at, head, tail, n, t, exp);
      this.#size++;
      return true;
    }
    const held = { n: found.n(at), t: found.t(at), exp: found.exp(at) };
    if (n <= held.n && t <= held.t && exp <= held.exp) return false;
    this.#ownShard(index, found).update(at, Math.max(n, held.n), Math.max(t, held.t), Math.max(exp, held.exp));
    return true;
  }

  #addShard(index: number): EntryShard {
    const shard = new EntryShard();
    this.#shards[index] = shard;
    this.#isOwn[index] = 1;
    return shard;
  }

  #ownShard(index: number, shard: EntryShard): EntryShard {
    if (this.#isOwn[index] === 1) return shard;
    const own = shard.copy();
    this.#shards[index] = own;
    this.#isOwn[index] = 1;
    return own;
  }
}

/** Bits of a new filter for each entry: then one in 28 look-ups for what is not there goes on to the table, where it waits for memory several times. */
const bitsPerEntry = 10;
/** Entries for one bit of the filter at most, from where on a larger one pays: one in twelve of those look-ups would go on to the table. */
const fullLoad = 0.16;

/** For each shard. */
function filterWordsFor(size: number): number {
  return Math.max(1, Math.ceil((size * bitsPerEntry) / 32 / shardCount));
}
