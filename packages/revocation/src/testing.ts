import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Metadata, status } from '@grpc/grpc-js';
import type { RevocationFeedHandlers, VerifierReport } from '@tokenmesh/proto';
import { exportJwk, generateSigningKey, type Jwk, type SigningKey } from '@tokenmesh/token';
import { signCheckpoint } from './checkpoint.ts';
import { genesisHash, type RevocationEvent, type SignedEvent, signEvent } from './event.ts';
import {
  type FeedKeys,
  type FeedPublisher,
  type FeedRecord,
  type FeedTransport,
  type FeedTransportHandlers,
  PositionGoneError,
} from './feed-ports.ts';
import { createRevocationSet, type RevocationSet } from './revocation-set.ts';
import { signSnapshot } from './snapshot.ts';
import type { Target } from './target.ts';

// The verifier's state machine as it is, for those who check it against a model.
export {
  type FeedEffect,
  type FeedInput,
  type FeedState,
  type FreshnessLimits,
  freshnessAt,
  initialState,
  nextRequest,
  positionOf,
  step,
} from './freshness.ts';

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

/** A courier inside one process. What is published while it is interrupted is lost, as on core NATS. */
export interface MemoryCourier {
  readonly transport: FeedTransport;
  readonly publisher: FeedPublisher;
  /** Cuts every subscriber off. */
  interrupt(): void;
  restore(): void;
}

/** A courier that nothing has gone over yet; it is up. */
export function createMemoryCourier(name = 'memory'): MemoryCourier {
  const subscribers = new Set<FeedTransportHandlers>();
  let up = true;
  // What was on its way when a subscriber left, or was cut off, does not arrive.
  const deliver = (deliverTo: (handlers: FeedTransportHandlers) => void) => {
    for (const handlers of subscribers) setImmediate(() => up && subscribers.has(handlers) && deliverTo(handlers));
  };
  return {
    transport: {
      name,
      subscribe(_position, handlers) {
        subscribers.add(handlers);
        setImmediate(() => subscribers.has(handlers) && (up ? handlers.onUp() : handlers.onDown(new Error('interrupted'))));
        return {
          close: async () => {
            subscribers.delete(handlers);
          },
        };
      },
    },
    publisher: {
      name,
      async publishEvent({ compact }) {
        if (!up) throw new Error('interrupted');
        deliver((handlers) => handlers.onEvent(compact));
      },
      publishCheckpoint(compact) {
        if (up) deliver((handlers) => handlers.onCheckpoint(compact));
      },
      close: async () => subscribers.clear(),
    },
    interrupt() {
      if (!up) return;
      up = false;
      for (const handlers of [...subscribers]) handlers.onDown(new Error('interrupted'));
    },
    restore() {
      if (up) return;
      up = true;
      for (const handlers of [...subscribers]) handlers.onUp();
    },
  };
}

/** Hands everything that an issuer sends to a courier. An event that the courier refuses is lost to it. Returns what ends it. */
export function publishFrom(record: MemoryRecord, publisher: FeedPublisher): () => void {
  return record.subscribe({
    onEvent: ({ event: { epoch, n }, compact }) => void publisher.publishEvent({ epoch, n, compact }).catch(() => {}),
    onCheckpoint: (compact) => publisher.publishCheckpoint(compact),
  });
}

/** Serves `tokenmesh.v1.RevocationFeed` from a memory record. */
export function serveMemoryRecord(record: MemoryRecord, onReport: (report: VerifierReport) => void = () => {}): RevocationFeedHandlers {
  return {
    GetFeedKeys: (_call, callback) =>
      void record.keys().then(({ keys, version }) => callback(null, { keys: [...keys], version }), refuse(callback)),
    Checkpoint: (call, callback) =>
      void record.checkpoint(call.request.nonce).then((checkpoint) => callback(null, { checkpoint }), refuse(callback)),
    ListEvents: (call, callback) =>
      void record
        .listEvents({ epoch: call.request.epoch, n: call.request.from })
        .then(({ events, head }) => callback(null, { events: [...events], head }), refuse(callback)),
    GetSnapshot: (call) =>
      void record.snapshot().then(
        ({ head, chunks }) => {
          call.write({ head });
          for (const chunk of chunks) call.write({ chunk });
          call.end();
        },
        (error) => call.emit('error', toServiceError(error)),
      ),
    Sync: (call) => {
      let unsubscribe = () => {};
      call.on('data', ({ start, report }) => {
        if (report) onReport(report);
        if (!start) return;
        call.sendMetadata(new Metadata());
        for (const { event, compact } of record.events()) {
          if (event.epoch === start.epoch && event.n >= start.from) call.write({ event: compact });
        }
        unsubscribe = record.subscribe({
          onEvent: ({ compact }) => void call.write({ event: compact }),
          onCheckpoint: (checkpoint) => void call.write({ checkpoint }),
        });
      });
      call.on('cancelled', () => unsubscribe());
      call.on('end', () => {
        unsubscribe();
        call.end();
      });
    },
  };
}

function refuse(callback: (error: { code: status; details: string }) => void): (error: unknown) => void {
  return (error) => callback(toServiceError(error));
}

function toServiceError(error: unknown): { code: status; details: string } {
  const gone = error instanceof PositionGoneError;
  return { code: gone ? status.OUT_OF_RANGE : status.UNAVAILABLE, details: gone ? 'not kept' : 'outage' };
}

/** A path from a memory record to a transport, as `testFeedTransport` needs it. */
export interface OpenedPath {
  readonly transport: FeedTransport;
  /** Cuts the path: no subscriber is reached, none can connect. */
  interrupt(): Promise<void>;
  restore(): Promise<void>;
  close(): Promise<void>;
}

/**
 * What every adapter of the `FeedTransport` port must do, as tests.
 *
 * @param options.open A path that carries what this record sends. Each test opens one and closes it.
 * @param options.test Registers one test: `test` of vitest or of `node:test`.
 */
export function testFeedTransport({
  open,
  test,
}: {
  readonly open: (record: MemoryRecord) => Promise<OpenedPath>;
  readonly test: (title: string, run: () => Promise<void>) => void;
}): void {
  const onPath = (title: string, run: (record: MemoryRecord, path: OpenedPath) => Promise<void>) =>
    test(title, async () => {
      const record = createMemoryRecord();
      const path = await open(record);
      try {
        await run(record, path);
      } finally {
        await path.close();
      }
    });

  onPath('delivers events and checkpoints unchanged and in order', async (record, { transport }) => {
    const inbox = subscribe(transport);
    await inbox.next('up');
    const sent = [record.append([anyTarget('a')]).compact, record.beat(), record.append([anyTarget('b')]).compact];
    const received = [await inbox.next('event'), await inbox.next('checkpoint'), await inbox.next('event')];
    assert.deepEqual(received, sent);
    await inbox.close();
  });

  onPath('delivers to every subscriber', async (record, { transport }) => {
    const inboxes = [subscribe(transport), subscribe(transport)];
    for (const inbox of inboxes) await inbox.next('up');
    const { compact } = record.append([anyTarget('a')]);
    for (const inbox of inboxes) assert.equal(await inbox.next('event'), compact);
    for (const inbox of inboxes) await inbox.close();
  });

  onPath('says when the path is cut, comes back by itself, and delivers again', async (record, path) => {
    const inbox = subscribe(path.transport);
    await inbox.next('up');
    await path.interrupt();
    await inbox.next('down');
    await path.restore();
    await inbox.next('up');
    const compact = record.beat();
    assert.equal(await inbox.next('checkpoint'), compact);
    await inbox.close();
  });

  onPath('says that a path which is cut from the start is down, and opens it once it can', async (record, path) => {
    await path.interrupt();
    const inbox = subscribe(path.transport);
    await inbox.next('down');
    await path.restore();
    await inbox.next('up');
    const compact = record.beat();
    assert.equal(await inbox.next('checkpoint'), compact);
    await inbox.close();
  });

  onPath('delivers nothing once the subscription is closed, and closes twice', async (record, { transport }) => {
    const [closed, open] = [subscribe(transport), subscribe(transport)];
    await closed.next('up');
    await open.next('up');
    await closed.close();
    await closed.close();
    record.beat();
    await open.next('checkpoint');
    assert.deepEqual(closed.rest(), []);
    await open.close();
  });

  onPath('closes while the path is cut', async (_record, path) => {
    await path.interrupt();
    const inbox = subscribe(path.transport);
    await inbox.next('down');
    await inbox.close();
  });
}

type Arrival = 'event' | 'checkpoint' | 'up' | 'down';

function subscribe(transport: FeedTransport) {
  const arrived: { kind: Arrival; compact: string }[] = [];
  let wake = Promise.withResolvers<void>();
  const arrive = (kind: Arrival, compact = '') => {
    arrived.push({ kind, compact });
    wake.resolve();
  };
  const subscription = transport.subscribe(() => ({ epoch: '', n: 0 }), {
    onEvent: (compact) => arrive('event', compact),
    onCheckpoint: (compact) => arrive('checkpoint', compact),
    onUp: () => arrive('up'),
    onDown: () => arrive('down'),
  });
  return {
    /** The next arrival of this kind. What comes before it must be news of the path only. */
    async next(kind: Arrival): Promise<string> {
      for (;;) {
        const next = arrived.shift();
        if (next?.kind === kind) return next.compact;
        if (next !== undefined) assert.ok(next.kind === 'up' || next.kind === 'down', `${next.kind} instead of ${kind}`);
        else {
          await wake.promise;
          wake = Promise.withResolvers();
        }
      }
    },
    rest: () => [...arrived],
    close: () => subscription.close(),
  };
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function anyTarget(value: string): Target {
  return { kind: 'token', value, exp: 4_102_444_800 };
}
