import { EntryColumns } from './entry-columns.ts';
import { EntryShard } from './entry-shard.ts';
import { targetKinds } from './target.ts';

/** Shards of a table. */
export const shardCount = 1_024;

/** The first 10 bits of a fingerprint, of which `high` is the first half: they name its shard. */
export const shardOf = (high: number): number => high >>> 22;
/** The 32 bits after them. */
export const headOf = (high: number, low: number): number => ((high << 10) | (low >>> 22)) >>> 0;
/** The last 22 bits. */
export const tailOf = (low: number): number => low & 0x3fffff;
/** The halves again. */
export const highOf = (shard: number, head: number): number => ((shard << 22) | (head >>> 10)) >>> 0;
export const lowOf = (head: number, tail: number): number => ((head << 22) | tail) >>> 0;

/**
 * Targets in force at one moment, packed: about 19 bytes each. Names no values, only their fingerprints within one epoch. Does not change.
 */
export class PackedEntries {
  readonly epoch: string;
  /** Number of targets. */
  readonly size: number;
  /** For each of `targetKinds` the latest `exp` that an entry of this kind may have; -1 when there is none. */
  readonly until: readonly number[];
  readonly shards: readonly (EntryShard | undefined)[];

  constructor(parts: Pick<PackedEntries, 'epoch' | 'size' | 'until' | 'shards'>) {
    this.epoch = parts.epoch;
    this.size = parts.size;
    this.until = parts.until;
    this.shards = parts.shards;
  }
}

/** No targets, of this epoch. */
export function noEntries(epoch: string): PackedEntries {
  return new PackedEntries({ epoch, size: 0, until: targetKinds.map(() => -1), shards: new Array(shardCount).fill(undefined) });
}

/** Makes packed entries of some that come sorted by fingerprint. */
export class PackedEntriesBuilder {
  readonly #epoch: string;
  readonly #until: readonly number[];
  readonly #shards: (EntryShard | undefined)[] = new Array(shardCount).fill(undefined);
  readonly #columns = new EntryColumns();
  #index = 0;
  #size = 0;
  #high = 0;
  #low = -1;

  constructor(epoch: string, until: readonly number[]) {
    this.#epoch = epoch;
    this.#until = until;
  }

  get size(): number {
    return this.#size;
  }

  /** @returns False, and nothing is added, when the fingerprint is not above the one before. */
  add(high: number, low: number, n: number, t: number, exp: number): boolean {
    if (high < this.#high || (high === this.#high && low <= this.#low)) return false;
    this.#high = high;
    this.#low = low;
    const index = shardOf(high);
    if (index !== this.#index) {
      this.#flush();
      this.#index = index;
    }
    this.#columns.push(headOf(high, low), tailOf(low), n, t, exp);
    this.#size++;
    return true;
  }

  finish(): PackedEntries {
    this.#flush();
    return new PackedEntries({ epoch: this.#epoch, size: this.#size, until: this.#until, shards: this.#shards });
  }

  #flush(): void {
    if (this.#columns.count > 0) this.#shards[this.#index] = EntryShard.pack(this.#columns);
    this.#columns.count = 0;
  }
}
