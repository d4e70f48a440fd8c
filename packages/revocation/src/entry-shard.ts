import { EntryColumns } from './entry-columns.ts';

const two32 = 2 ** 32;
const noWords = new Uint32Array(0);
const noBytes = new Uint8Array(0);
/** Of a narrow entry: how far its position and its `t` may lie above the lowest ones of the shard, and how long it may live after `t`; 2^24 seconds are 194 days. */
const positionRange = 2 ** 34;
const timeRange = 2 ** 24;
const lifeRange = 2 ** 24;
/** Room for one more in this many: moving the others is cheap, and so is a new array, while room costs memory for as long as it is not used. */
const spareShift = 4;

/**
 * A few hundred to some thousand entries, sorted by fingerprint without gaps.
 *
 * Fingerprints are evenly spread, so that one is found close to where its size says: interpolation and a short walk. Nothing here lives on the
 * garbage-collected heap but four small objects.
 *
 * An entry takes 17 bytes when all entries of the shard fit the narrow form: fingerprint 54 bits, `n` 34 above the lowest one here, `t` 24 likewise, `exp`
 * 24 above `t`. Otherwise all of them are wide: 32 bytes, any whole numbers.
 */
export class EntryShard {
  /** No entry expires before this: a lower bound, seconds since epoch. */
  earliest = Number.POSITIVE_INFINITY;
  #count = 0;
  #capacity = 0;
  #lowestN = 0;
  #lowestT = 0;
  /** Columns of `capacity` words: head; tail (22 bits), t 23…16 (8), n 33…32 (2); and in narrow form n 31…0; t 15…0, life 15…0. */
  #words = noWords;
  /** Narrow: life 23…16. */
  #bytes = noBytes;
  /** Wide: columns of n, t and exp. */
  #numbers: Float64Array | undefined;

  get count(): number {
    return this.#count;
  }

  /** Memory of the entries, outside of the garbage-collected heap. */
  get byteLength(): number {
    return this.#words.buffer.byteLength;
  }

  /** The entries of both, and of what both hold the highest `n` and `t` and the latest `exp`. */
  static merge(one: EntryShard, other: EntryShard): EntryShard {
    const [a, b, merged] = [takeScratch(0), takeScratch(1), takeScratch(2)];
    one.unpack(a);
    other.unpack(b);
    let [i, j] = [0, 0];
    while (i < a.count || j < b.count) {
      const order = compare(a, i, b, j);
      if (order < 0) merged.pushFrom(a, i++);
      else if (order > 0) merged.pushFrom(b, j++);
      else {
        merged.pushFrom(a, i++);
        merged.raiseLast(b, j++);
      }
    }
    return EntryShard.pack(merged);
  }

  /** Packs columns that are sorted by head and tail; `spare` more entries have room. */
  static pack(columns: EntryColumns, spare = 0): EntryShard {
    const shard = new EntryShard();
    const { count, head, tail, n, t, exp } = columns;
    const capacity = count + spare;
    let lowestN = Number.MAX_SAFE_INTEGER;
    let lowestT = Number.MAX_SAFE_INTEGER;
    for (let i = 0; i < count; i++) {
      lowestN = Math.min(lowestN, n[i] ?? 0);
      lowestT = Math.min(lowestT, t[i] ?? 0);
    }
    shard.#capacity = capacity;
    shard.#lowestN = lowestN;
    shard.#lowestT = lowestT;
    let isNarrow = true;
    for (let i = 0; i < count && isNarrow; i++) isNarrow = shard.#fitsNarrow(n[i] ?? 0, t[i] ?? 0, exp[i] ?? 0);
    const buffer = new ArrayBuffer(capacity * (isNarrow ? 17 : 32));
    // the numbers come first where there are any, and are aligned so
    shard.#numbers = isNarrow ? undefined : new Float64Array(buffer, 0, capacity * 3);
    shard.#words = isNarrow ? new Uint32Array(buffer, 0, capacity * 4) : new Uint32Array(buffer, capacity * 24, capacity * 2);
    shard.#bytes = isNarrow ? new Uint8Array(buffer, capacity * 16, capacity) : noBytes;
    for (let i = 0; i < count; i++) shard.#write(i, head[i] ?? 0, tail[i] ?? 0, n[i] ?? 0, t[i] ?? 0, exp[i] ?? 0);
    shard.#count = count;
    return shard;
  }

  copy(): EntryShard {
    const columns = takeScratch();
    this.unpack(columns);
    return EntryShard.pack(columns, Math.max(4, this.#count >>> spareShift));
  }

  /** Index of an entry, or `-1 - index` of the place where it would be. */
  search(head: number, tail: number): number {
    const words = this.#words;
    const count = this.#count;
    let i = Math.floor(head * (count / two32));
    while (i < count && (words[i] ?? 0) < head) i++;
    while (i > 0 && (words[i - 1] ?? 0) >= head) i--;
    for (; i < count && words[i] === head; i++) {
      const other = (words[this.#capacity + i] ?? 0) >>> 10;
      if (other === tail) return i;
      if (other > tail) break;
    }
    return -1 - i;
  }

  n(i: number): number {
    if (this.#numbers !== undefined) return this.#numbers[i] ?? 0;
    const words = this.#words;
    return this.#lowestN + ((words[this.#capacity + i] ?? 0) & 3) * two32 + (words[2 * this.#capacity + i] ?? 0);
  }

  t(i: number): number {
    if (this.#numbers !== undefined) return this.#numbers[this.#capacity + i] ?? 0;
    const words = this.#words;
    return this.#lowestT + (((((words[this.#capacity + i] ?? 0) >>> 2) & 0xff) << 16) | ((words[3 * this.#capacity + i] ?? 0) >>> 16));
  }

  exp(i: number): number {
    if (this.#numbers !== undefined) return this.#numbers[2 * this.#capacity + i] ?? 0;
    const life = ((this.#bytes[i] ?? 0) << 16) | ((this.#words[3 * this.#capacity + i] ?? 0) & 0xffff);
    return this.t(i) + life;
  }

  /** Adds an entry whose fingerprint is not here, at the place that `search` told. */
  insert(at: number, head: number, tail: number, n: number, t: number, exp: number): void {
    const count = this.#count;
    if (count === this.#capacity || !this.#fits(n, t, exp)) {
      this.#rebuild({ at, head, tail, n, t, exp });
      return;
    }
    const [words, capacity] = [this.#words, this.#capacity];
    for (let start = 0; start < words.length; start += capacity) words.copyWithin(start + at + 1, start + at, start + count);
    if (this.#numbers === undefined) this.#bytes.copyWithin(at + 1, at, count);
    else for (let start = 0; start < 3 * capacity; start += capacity) this.#numbers.copyWithin(start + at + 1, start + at, start + count);
    this.#write(at, head, tail, n, t, exp);
    this.#count++;
  }

  /** Replaces what is known of the entry at `i`. */
  update(i: number, n: number, t: number, exp: number): void {
    const [head, tail] = [this.#words[i] ?? 0, (this.#words[this.#capacity + i] ?? 0) >>> 10];
    if (this.#fits(n, t, exp)) {
      this.#write(i, head, tail, n, t, exp);
      return;
    }
    const columns = takeScratch();
    this.unpack(columns);
    columns.n[i] = n;
    columns.t[i] = t;
    columns.exp[i] = exp;
    this.#become(EntryShard.pack(columns, this.#capacity - this.#count));
  }

  /** Calls with the 32 bits of each fingerprint that follow those which name the shard. */
  eachHead(call: (head: number) => void): void {
    for (let i = 0; i < this.#count; i++) call(this.#words[i] ?? 0);
  }

  /** Appends the entries with an `exp` of `fromSeconds` or later to `columns`, in order. */
  unpack(columns: EntryColumns, fromSeconds = 0): void {
    const [words, capacity] = [this.#words, this.#capacity];
    for (let i = 0; i < this.#count; i++) {
      const exp = this.exp(i);
      if (exp >= fromSeconds) columns.push(words[i] ?? 0, (words[capacity + i] ?? 0) >>> 10, this.n(i), this.t(i), exp);
    }
  }

  /** Forgets entries with an `exp` below `nowSeconds`, and gives their memory back. Returns how many. */
  expire(nowSeconds: number): number {
    const before = this.#count;
    const columns = takeScratch();
    this.unpack(columns, nowSeconds);
    this.#become(EntryShard.pack(columns, columns.count >>> spareShift));
    return before - this.#count;
  }

  #fits(n: number, t: number, exp: number): boolean {
    return this.#numbers !== undefined || this.#fitsNarrow(n, t, exp);
  }

  #fitsNarrow(n: number, t: number, exp: number): boolean {
    return isWithin(n - this.#lowestN, positionRange) && isWithin(t - this.#lowestT, timeRange) && isWithin(exp - t, lifeRange);
  }

  #write(i: number, head: number, tail: number, n: number, t: number, exp: number): void {
    const [words, capacity] = [this.#words, this.#capacity];
    words[i] = head;
    if (this.#numbers !== undefined) {
      words[capacity + i] = tail << 10;
      this.#numbers[i] = n;
      this.#numbers[capacity + i] = t;
      this.#numbers[2 * capacity + i] = exp;
    } else {
      const above = n - this.#lowestN;
      const later = t - this.#lowestT;
      const life = exp - t;
      words[capacity + i] = (tail << 10) | ((later >>> 16) << 2) | Math.floor(above / two32);
      words[2 * capacity + i] = above % two32;
      words[3 * capacity + i] = (later << 16) | (life & 0xffff);
      this.#bytes[i] = life >>> 16;
    }
    if (exp < this.earliest) this.earliest = exp;
  }

  #rebuild(added: { at: number; head: number; tail: number; n: number; t: number; exp: number }): void {
    const columns = takeScratch();
    const { at, head, tail, n, t, exp } = added;
    this.unpack(columns);
    columns.push(0, 0, 0, 0, 0);
    for (const column of [columns.head, columns.tail, columns.n, columns.t, columns.exp]) column.copyWithin(at + 1, at, columns.count - 1);
    columns.head[at] = head;
    columns.tail[at] = tail;
    columns.n[at] = n;
    columns.t[at] = t;
    columns.exp[at] = exp;
    this.#become(EntryShard.pack(columns, Math.max(4, columns.count >>> spareShift)));
  }

  #become(other: EntryShard): void {
    this.earliest = other.earliest;
    this.#count = other.#count;
    this.#capacity = other.#capacity;
    this.#lowestN = other.#lowestN;
    this.#lowestT = other.#lowestT;
    this.#words = other.#words;
    this.#bytes = other.#bytes;
    this.#numbers = other.#numbers;
  }
}

function isWithin(above: number, range: number): boolean {
  return above >= 0 && above < range;
}

/** Which of two entries comes first; one that is not there comes last. */
function compare(a: EntryColumns, i: number, b: EntryColumns, j: number): number {
  if (i >= a.count) return 1;
  if (j >= b.count) return -1;
  return (a.head[i] ?? 0) - (b.head[j] ?? 0) || (a.tail[i] ?? 0) - (b.tail[j] ?? 0);
}

const scratches = [new EntryColumns(), new EntryColumns(), new EntryColumns()] as const;

/** Empty columns for one step: nothing here waits, so nobody else has them meanwhile. */
function takeScratch(which: 0 | 1 | 2 = 0): EntryColumns {
  const scratch = scratches[which];
  scratch.count = 0;
  return scratch;
}
