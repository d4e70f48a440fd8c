import { randomUUID } from 'node:crypto';
import { exportJwk, generateSigningKey, type Jwk, type SigningKey } from '@tokenmesh/token';
import { signCheckpoint } from '../checkpoint.ts';
import { genesisHash, type RevocationEvent, type SignedEvent, signEvent } from '../event.ts';
import { type FeedKeys, type FeedRecord, PositionGoneError } from '../feed-ports.ts';
import { createRevocationSet, type RevocationSet } from '../revocation-set.ts';
import { signSnapshot } from '../snapshot.ts';
import type { Target } from '../target.ts';

/** What a path is fed with: the outbox of an issuer. */
export interface IssuerListener {
  onEvent(signed: SignedEvent): void;
  onCheckpoint(compact: string): void;
}

/** A whole issuer in memory: its log, its keys, its answers. */
export interface MemoryRecord extends FeedRecord {
  readonly issuer: string;
  readonly mesh: string;
  /** The key that signs now; another one may be put in its place, and the old one stays known. */
  key: SigningKey;
  /** What checkpoints and `keys` say of its keys; 0 until somebody raises it, which announces that they changed. */
  keysVersion: number;
  /** When set, every question is answered with this error. */
  outage: Error | undefined;
  /** The last position and its hash. */
  head(): { readonly epoch: string; readonly n: number; readonly h: string };
  /** The events still kept, oldest first. */
  events(): readonly SignedEvent[];
  /** Revokes: appends one event and tells the listeners. */
  append(targets: readonly Target[]): SignedEvent;
  /** Makes a checkpoint of this moment and tells the listeners. */
  beat(): string;
  /** Forgets the events up to `n`: `listEvents` cannot serve them any more. */
  compact(n: number): void;
  snapshot(signal?: AbortSignal): Promise<{ head: string; chunks: Uint8Array[] }>;
  /** Begins a new epoch, after a restore from backup: its first event revokes everything issued before. */
  beginEpoch(epoch: string, firstN: number): SignedEvent;
  /** Returns what ends it. */
  subscribe(listener: IssuerListener): () => void;
}

/** What an issuer in memory is called, and how it behaves. */
export interface MemoryRecordOptions {
  /** `iss` of what it signs; default `https://token-exchange.shop.test`. */
  readonly issuer?: string;
  /** Its `aud`, the trust domain; default `shop.test`. */
  readonly mesh?: string;
  /** Epoch that its log begins with; default `e1`. */
  readonly epoch?: string;
  /** What it signs with; default a new key. */
  readonly key?: SigningKey;
  /** S in milliseconds, default 5 000. */
  readonly staleAfterMs?: number;
  /** Events in one answer of `listEvents`, default 1 000. */
  readonly pageSize?: number;
  /** Milliseconds since epoch; default `Date.now`. */
  readonly now?: () => number;
  /** Makes the `jti` of events; default `randomUUID`. */
  readonly newId?: () => string;
}

/** An issuer in memory; by default `https://token-exchange.shop.test` of the mesh `shop.test`, epoch `e1`. */
export function createMemoryRecord(options: MemoryRecordOptions = {}): MemoryRecord {
  return new Issuer(options);
}

class Issuer implements MemoryRecord {
  readonly issuer: string;
  readonly mesh: string;
  key: SigningKey;
  keysVersion = 0;
  outage: Error | undefined;
  readonly #options: Required<Pick<MemoryRecordOptions, 'staleAfterMs' | 'pageSize' | 'now' | 'newId'>>;
  readonly #known = new Map<string, Jwk>();
  /** Everything that was ever revoked: fingerprints are of one epoch, so the next one makes them anew. */
  readonly #revoked: RevocationEvent[] = [];
  #set: RevocationSet;
  readonly #listeners = new Set<IssuerListener>();
  #events: SignedEvent[] = [];
  #head: { epoch: string; n: number; h: string };

  constructor(options: MemoryRecordOptions) {
    const { epoch = 'e1', key = generateSigningKey() } = options;
    this.issuer = options.issuer ?? 'https://token-exchange.shop.test';
    this.mesh = options.mesh ?? 'shop.test';
    this.key = key;
    this.#options = {
      staleAfterMs: options.staleAfterMs ?? 5_000,
      pageSize: options.pageSize ?? 1_000,
      now: options.now ?? Date.now,
      newId: options.newId ?? randomUUID,
    };
    this.#head = { epoch, n: 0, h: genesisHash(epoch) };
    this.#set = createRevocationSet(epoch);
  }

  head(): { readonly epoch: string; readonly n: number; readonly h: string } {
    return this.#head;
  }

  events(): readonly SignedEvent[] {
    return this.#events;
  }

  append(targets: readonly Target[]): SignedEvent {
    const { epoch, n, h } = this.#head;
    const t = this.#options.now();
    const event: RevocationEvent = {
      iss: this.issuer,
      aud: this.mesh,
      iat: Math.floor(t / 1000),
      jti: this.#options.newId(),
      epoch,
      n: n + 1,
      t,
      prev: h,
      targets,
    };
    const signed = signEvent(event, this.key);
    this.#head = { epoch, n: n + 1, h: signed.hash };
    this.#events.push(signed);
    this.#revoked.push(event);
    this.#set.apply(event);
    for (const listener of this.#listeners) listener.onEvent(signed);
    return signed;
  }

  beat(): string {
    const compact = this.#checkpoint();
    for (const listener of this.#listeners) listener.onCheckpoint(compact);
    return compact;
  }

  compact(n: number): void {
    this.#events = this.#events.filter(({ event }) => event.n > n);
  }

  beginEpoch(epoch: string, firstN: number): SignedEvent {
    this.#events = [];
    this.#head = { epoch, n: firstN - 1, h: genesisHash(epoch) };
    this.#set = createRevocationSet(epoch);
    for (const event of this.#revoked) this.#set.apply(event);
    return this.append([{ kind: 'all', value: '', exp: Math.floor(this.#options.now() / 1000) + 905 }]);
  }

  subscribe(listener: IssuerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async keys(): Promise<FeedKeys> {
    this.#answer();
    this.#known.set(this.key.kid, exportJwk(this.key));
    return { keys: [...this.#known.values()], version: this.keysVersion };
  }

  async snapshot(): Promise<{ head: string; chunks: Uint8Array[] }> {
    this.#answer();
    const { now, staleAfterMs: s } = this.#options;
    return await signSnapshot({ iss: this.issuer, aud: this.mesh, ...this.#head, t: now(), s }, this.#set.capture(), this.key);
  }

  async listEvents(from: { epoch: string; n: number }): Promise<{ events: readonly string[]; head: number }> {
    this.#answer();
    const { epoch, n: head } = this.#head;
    const oldest = this.#events[0]?.event.n ?? head + 1;
    if (from.epoch !== epoch || from.n < oldest) throw new PositionGoneError(`Events from ${from.n} of epoch ${from.epoch} are not kept`);
    const events = this.#events.filter(({ event }) => event.n >= from.n).slice(0, this.#options.pageSize);
    return { events: events.map(({ compact }) => compact), head };
  }

  async checkpoint(nonce: string): Promise<string> {
    this.#answer();
    return this.#checkpoint(nonce);
  }

  #checkpoint(nonce?: string): string {
    const t = this.#options.now();
    const { issuer: iss, mesh: aud, keysVersion } = this;
    const statement = { iss, aud, ...this.#head, t, s: this.#options.staleAfterMs, keysVersion };
    return signCheckpoint(nonce === undefined ? statement : { ...statement, nonce }, this.key);
  }

  #answer(): void {
    if (this.outage !== undefined) throw this.outage;
  }
}
