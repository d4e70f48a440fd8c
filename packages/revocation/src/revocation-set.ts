import { type Actor, actorChain } from '@tokenmesh/token';
import type { RevocationEvent } from './event.ts';
import { type Target, type TargetKind, targetKinds } from './target.ts';

/** One target in force. */
export interface Entry extends Target {
  /** Position of the event that made it. */
  readonly n: number;
  /** Time of that event, milliseconds since epoch. */
  readonly t: number;
}

/** Why a token is revoked: the target that covers it. */
export type Match = Omit<Entry, 'exp'>;

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

/** Everything that was taken back and could still be alive. */
export interface RevocationSet {
  /** Grows when a target comes in. Not when one expires: that revokes nothing, so a token found good stays good at the same version. */
  readonly version: number;
  /** Number of targets held. */
  readonly size: number;
  /** Adds the targets of an event. Order and repetition do not matter: the highest position of a target counts. */
  apply(event: Pick<RevocationEvent, 'n' | 't' | 'targets'>): void;
  /** Replaces everything. */
  load(entries: Iterable<Entry>): void;
  /**
   * The target that covers this token, or `undefined`. Watermarks cover tokens with `rn` below their position; tokens without `rn` when
   * `iat` is not after the event; `token` and `key` targets always. Any match counts: none overrides another.
   */
  find(token: RevocableToken): Match | undefined;
  /** Forgets the targets whose `exp` is past. */
  expire(nowSeconds: number): void;
  entries(): Iterable<Entry>;
}

/** An empty set. */
export function createRevocationSet(): RevocationSet {
  return new MapRevocationSet();
}

type Table = Map<string, Entry>;

class MapRevocationSet implements RevocationSet {
  #version = 0;
  #tables = emptyTables();

  get version(): number {
    return this.#version;
  }

  get size(): number {
    let size = 0;
    for (const kind of targetKinds) size += this.#tables[kind].size;
    return size;
  }

  apply({ n, t, targets }: Pick<RevocationEvent, 'n' | 't' | 'targets'>): void {
    let changed = false;
    for (const { kind, value, exp } of targets) changed = add(this.#tables[kind], { kind, value, exp, n, t }) || changed;
    if (changed) this.#version++;
  }

  load(entries: Iterable<Entry>): void {
    const tables = emptyTables();
    for (const entry of entries) add(tables[entry.kind], entry);
    this.#tables = tables;
    this.#version++;
  }

  find(token: RevocableToken): Match | undefined {
    const { claims, kid } = token;
    const { sub, client_id, sid, txn, jti, act } = claims;
    const tables = this.#tables;
    const watermark = (table: Table, value: string | undefined) => {
      const entry = value === undefined || table.size === 0 ? undefined : table.get(value);
      return entry !== undefined && isBefore(claims, entry) ? entry : undefined;
    };
    const audiences = typeof claims.aud === 'string' ? [claims.aud] : claims.aud;
    const entry =
      tables.key.get(kid) ??
      (jti === undefined ? undefined : tables.token.get(jti)) ??
      watermark(tables.all, '') ??
      watermark(tables.subject, sub) ??
      watermark(tables.client, client_id) ??
      watermark(tables.session, sid) ??
      watermark(tables.chain, txn) ??
      first(audiences, (aud) => watermark(tables.audience, aud)) ??
      (client_id === undefined ? undefined : first(audiences, (aud) => watermark(tables.grant, `${client_id} ${aud}`))) ??
      (act === undefined ? undefined : first(actorChain({ act }), (actor) => watermark(tables.actor, actor)));
    return entry && { kind: entry.kind, value: entry.value, n: entry.n, t: entry.t };
  }

  expire(nowSeconds: number): void {
    for (const kind of targetKinds) {
      for (const [value, { exp }] of this.#tables[kind]) if (exp < nowSeconds) this.#tables[kind].delete(value);
    }
  }

  *entries(): Iterable<Entry> {
    for (const kind of targetKinds) yield* this.#tables[kind].values();
  }
}

function emptyTables(): Record<TargetKind, Table> {
  return {
    token: new Map(),
    subject: new Map(),
    client: new Map(),
    session: new Map(),
    chain: new Map(),
    actor: new Map(),
    grant: new Map(),
    audience: new Map(),
    key: new Map(),
    all: new Map(),
  };
}

/** Of two entries for one target everything that either covers stays covered, for as long as the longer lived one says. */
function add(table: Table, entry: Entry): boolean {
  const held = table.get(entry.value);
  if (held === undefined) {
    table.set(entry.value, entry);
    return true;
  }
  const [exp, n, t] = [Math.max(held.exp, entry.exp), Math.max(held.n, entry.n), Math.max(held.t, entry.t)];
  if (exp === held.exp && n === held.n && t === held.t) return false;
  table.set(entry.value, { kind: entry.kind, value: entry.value, exp, n, t });
  return true;
}

function isBefore({ rn, iat }: RevocableToken['claims'], { n, t }: Entry): boolean {
  return rn === undefined ? iat * 1000 <= t : rn < n;
}

function first<Value, Found>(values: readonly Value[], find: (value: Value) => Found | undefined): Found | undefined {
  for (const value of values) {
    const found = find(value);
    if (found !== undefined) return found;
  }
  return undefined;
}
