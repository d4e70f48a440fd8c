import { TokenError } from '@tokenmesh/token';
import { EntryColumns } from './entry-columns.ts';
import { highOf, lowOf, type PackedEntries, PackedEntriesBuilder } from './packed-entries.ts';
import { type TargetKind, targetKinds } from './target.ts';

/**
 * How entries are written, for who reads them. `hsip64-1`: 24 bytes each, little endian, in ascending order of fingerprint:
 *
 * | bytes | what |
 * |---|---|
 * | 0–7 | fingerprint of kind and value: HalfSipHash-2-4-64 (`Fingerprints` says with which key) |
 * | 8–11 | low 32 bits of `n`, the position of the event |
 * | 12–15 | low 32 bits of `t`, the time of the event in seconds since epoch |
 * | 16–19 | low 32 bits of `exp`, in seconds since epoch |
 * | 20–23 | from the lowest: 21 high bits of `n`, 5 of `t`, 6 of `exp` |
 */
export const entriesForm = 'hsip64-1';

const entryBytes = 24;
/** A chunk stays below 256 KiB: far below the 4 MiB that a gRPC client takes, and large enough that a message's own cost does not count. */
const chunkBytes = Math.floor((256 * 1024) / entryBytes) * entryBytes;
const two32 = 2 ** 32;

/** What a head says of the entries. */
export interface EntriesSummary {
  /** Number of entries. */
  readonly count: number;
  /** For each kind that there is, the latest `exp` of its entries; seconds since epoch. */
  readonly until: Readonly<Partial<Record<TargetKind, number>>>;
}

/** Writes entries, a chunk at a time. */
export function* writeEntries(entries: PackedEntries, headN: number): Generator<Uint8Array, EntriesSummary> {
  const columns = new EntryColumns();
  let chunk = new DataView(new ArrayBuffer(chunkBytes));
  let at = 0;
  for (const [index, shard] of entries.shards.entries()) {
    columns.count = 0;
    shard?.unpack(columns);
    for (let i = 0; i < columns.count; i++) {
      if ((columns.n[i] ?? 0) > headN) throw malformed('An entry lies beyond the head of the snapshot');
      writeEntry(chunk, at, index, columns, i);
      at += entryBytes;
      if (at < chunkBytes) continue;
      yield new Uint8Array(chunk.buffer);
      chunk = new DataView(new ArrayBuffer(chunkBytes));
      at = 0;
    }
  }
  if (at > 0) yield new Uint8Array(chunk.buffer.slice(0, at));
  const until = targetKinds.map((kind, index) => [kind, entries.until[index] ?? -1] as const);
  return { count: entries.size, until: Object.fromEntries(until.filter(([, exp]) => exp >= 0)) };
}

/** Reads what `writeEntries` wrote, a chunk at a time, and takes nothing else. */
export class EntriesReader {
  readonly #builder: PackedEntriesBuilder;
  readonly #summary: EntriesSummary;
  readonly #headN: number;
  readonly #latestExp: number;

  constructor(epoch: string, summary: EntriesSummary, headN: number) {
    const until = targetKinds.map((kind) => summary.until[kind] ?? -1);
    this.#builder = new PackedEntriesBuilder(epoch, until);
    this.#summary = summary;
    this.#headN = headN;
    this.#latestExp = Math.max(...until);
  }

  /** @throws {TokenError} `TOKEN_MALFORMED` */
  read(chunk: Uint8Array): void {
    const { byteLength } = chunk;
    if (byteLength === 0 || byteLength > chunkBytes || byteLength % entryBytes !== 0)
      throw malformed('A chunk does not hold whole entries');
    if (this.#builder.size + byteLength / entryBytes > this.#summary.count) throw malformed('There are more entries than the head says');
    const view = new DataView(chunk.buffer, chunk.byteOffset, byteLength);
    for (let at = 0; at < byteLength; at += entryBytes) {
      const highs = view.getUint32(at + 20, true);
      const n = view.getUint32(at + 8, true) + (highs & 0x1fffff) * two32;
      const t = view.getUint32(at + 12, true) + ((highs >>> 21) & 0x1f) * two32;
      const exp = view.getUint32(at + 16, true) + (highs >>> 26) * two32;
      if (n < 1 || n > this.#headN) throw malformed('An entry is not of this log');
      if (exp > this.#latestExp) throw malformed('An entry lives longer than the head says');
      if (!this.#builder.add(view.getUint32(at + 4, true), view.getUint32(at, true), n, t, exp))
        throw malformed('The entries are not in order');
    }
  }

  /** @throws {TokenError} `TOKEN_MALFORMED` */
  finish(): PackedEntries {
    if (this.#builder.size !== this.#summary.count) throw malformed('There are fewer entries than the head says');
    return this.#builder.finish();
  }
}

function writeEntry(chunk: DataView, at: number, shard: number, columns: EntryColumns, i: number): void {
  const [head, tail] = [columns.head[i] ?? 0, columns.tail[i] ?? 0];
  const [n, t, exp] = [columns.n[i] ?? 0, columns.t[i] ?? 0, columns.exp[i] ?? 0];
  chunk.setUint32(at, lowOf(head, tail), true);
  chunk.setUint32(at + 4, highOf(shard, head), true);
  chunk.setUint32(at + 8, n, true);
  chunk.setUint32(at + 12, t, true);
  chunk.setUint32(at + 16, exp, true);
  chunk.setUint32(at + 20, Math.floor(n / two32) | (Math.floor(t / two32) << 21) | (Math.floor(exp / two32) << 26), true);
}

function malformed(message: string): TokenError {
  return new TokenError('TOKEN_MALFORMED', message);
}
