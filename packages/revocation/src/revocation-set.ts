import { setImmediate as turn } from 'node:timers/promises';
import { type Actor, actorChain } from '@tokenmesh/token';
import { EntryTable } from './entry-table.ts';
import type { RevocationEvent } from './event.ts';
import { type PackedEntries, shardCount } from './packed-entries.ts';
import { kindIndex, type TargetKind } from './target.ts';

/** Why a token is revoked: the target that covers it. */
export interface Match {
  readonly kind: TargetKind;
  readonly value: string;
  /** Position of the event that made it, the highest if there are several. */
  readonly n: number;
}

/** What of a token decides whether it is revoked. A `VerifiedToken` is one; so is a foreign token, which has no `rn` and may lack more. */
export interface RevocableToken {
  readonly kid: string;
  readonly claims: {
    readonly sub: string;
    readonly aud: string | readonly string[];
    /** Seconds since epoch. */
    readonly iat: number;
    readonly jti?: string;
    readonly client_id?: string;
    readonly sid?: string;
    readonly txn?: string;
    readonly act?: Actor;
    readonly rn?: number;
  };
}

/**
 * Everything that was taken back and could still be alive.
 *
 * Targets are kept as 64-bit fingerprints, about 19 bytes each (at 1 000 000 of them), and cannot be listed. A token is found covered by mistake with a
 * chance of 2^-44 for each thing that it names, at a million targets; one that is covered is always found.
 */
export interface RevocationSet {
  /** Grows when a target comes in. Not when one expires: that revokes nothing, so a token found good stays good at the same version. */
  readonly version: number;
  /** Number of targets held. */
  readonly size: number;
  /**
   * Adds the targets of an event. Order and repetition do not matter: the highest position of a target counts. Times beyond the year 6000 count as
   * that year.
   */
  apply(event: Pick<RevocationEvent, 'n' | 't' | 'targets'>): void;
  /** Replaces everything, the epoch included, at once. */
  load(entries: PackedEntries): void;
  /**
   * Adds entries of the same epoch, a part at a time with turns of the event loop in between: what was in force stays so throughout.
   * @throws {TypeError} When they are of another epoch: their fingerprints mean something else.
   */
  merge(entries: PackedEntries): Promise<void>;
  /** What is in the set now, for `signSnapshot` or another set. Quick: memory is shared until either changes. */
  capture(): PackedEntries;
  /**
   * The target that covers this token, or `undefined`. Watermarks cover tokens with `rn` below their position; tokens without `rn` when
   * `iat` is not after the second of the event; `token` and `key` targets always. Any match counts: none overrides another.
   */
  find(token: RevocableToken): Match | undefined;
  /**
   * Forgets the targets whose `exp` is past: of a large set a part, which takes about a millisecond.
   * @returns Whether that was all; otherwise another call goes on from there.
   */
  expire(nowSeconds: number): boolean;
}

/**
 * An empty set.
 * @param epoch Of the log whose events will be applied, as fingerprints are made with it; default none, until `load` tells.
 */
export function createRevocationSet(epoch = ''): RevocationSet {
  return new PackedRevocationSet(epoch);
}

/** Shards that are merged before others get their turn: some 16 000 entries of a set of a million. */
const shardsPerTurn = 16;
/** What an entry has room for in a snapshot: 37 bits of seconds for `t` and 38 for `exp`. */
const latestT = 2 ** 37 - 1;
const latestExp = 2 ** 38 - 1;

/** As bits, by `kindIndex`. */
const absoluteKinds = (1 << kindIndex.key) | (1 << kindIndex.token);

class PackedRevocationSet implements RevocationSet {
  #version = 0;
  #table: EntryTable;

  constructor(epoch: string) {
    this.#table = new EntryTable(epoch);
  }

  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#table.size;
  }

  apply({ n, t, targets }: Pick<RevocationEvent, 'n' | 't' | 'targets'>): void {
    const seconds = Math.min(Math.floor(t / 1000), latestT);
    let changed = false;
    for (const { kind, value, exp } of targets) {
      changed = this.#table.add(kindIndex[kind], value, n, seconds, Math.min(exp, latestExp)) || changed;
    }
    if (changed) this.#version++;
  }

  load(entries: PackedEntries): void {
    this.#table = new EntryTable(entries);
    this.#version++;
  }

  async merge(entries: PackedEntries): Promise<void> {
    const table = this.#table;
    if (entries.epoch !== table.epoch) throw new TypeError('entries of another epoch cannot be merged');
    for (let index = 0; index < shardCount; index++) {
      if (index % shardsPerTurn === 0) await turn();
      table.mergeShard(index, entries);
      this.#version++;
    }
  }

  capture(): PackedEntries {
    return this.#table.capture();
  }

  find(token: RevocableToken): Match | undefined {
    const table = this.#table;
    if (table.size === 0) return undefined;
    const { claims, kid } = token;
    const found = absolute(table, 'key', kid) ?? absolute(table, 'token', claims.jti);
    if (found !== undefined || !table.hasBeside(absoluteKinds)) return found;
    const { sub, client_id, sid, txn, act } = claims;
    const audiences = typeof claims.aud === 'string' ? [claims.aud] : claims.aud;
    return (
      watermark(table, 'all', '', claims) ??
      watermark(table, 'subject', sub, claims) ??
      watermark(table, 'client', client_id, claims) ??
      watermark(table, 'session', sid, claims) ??
      watermark(table, 'chain', txn, claims) ??
      (table.has(kindIndex.audience) ? first(audiences, (aud) => watermark(table, 'audience', aud, claims)) : undefined) ??
      (client_id !== undefined && table.has(kindIndex.grant)
        ? first(audiences, (aud) => watermark(table, 'grant', `${client_id} ${aud}`, claims))
        : undefined) ??
      (act !== undefined && table.has(kindIndex.actor)
        ? first(actorChain({ act }), (actor) => watermark(table, 'actor', actor, claims))
        : undefined)
    );
  }

  expire(nowSeconds: number): boolean {
    return this.#table.expire(nowSeconds);
  }
}

function absolute(table: EntryTable, kind: TargetKind, value: string | undefined): Match | undefined {
  if (value === undefined || !table.has(kindIndex[kind])) return undefined;
  const entry = table.find(kindIndex[kind], value);
  return entry && { kind, value, n: entry.n };
}

function watermark(table: EntryTable, kind: TargetKind, value: string | undefined, claims: RevocableToken['claims']): Match | undefined {
  if (value === undefined || !table.has(kindIndex[kind])) return undefined;
  const entry = table.find(kindIndex[kind], value);
  return entry && isBefore(claims, entry) ? { kind, value, n: entry.n } : undefined;
}

// `iat` of a foreign token may have a fraction; the second of the event counts as a whole
function isBefore({ rn, iat }: RevocableToken['claims'], { n, t }: { readonly n: number; readonly t: number }): boolean {
  return rn === undefined ? Math.floor(iat) <= t : rn < n;
}

function first<Value, Found>(values: readonly Value[], find: (value: Value) => Found | undefined): Found | undefined {
  for (const value of values) {
    const found = find(value);
    if (found !== undefined) return found;
  }
  return undefined;
}
