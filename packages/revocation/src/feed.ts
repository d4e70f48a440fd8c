import { randomUUID } from 'node:crypto';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { importJwks, TokenError, type VerificationKey } from '@tokenmesh/token';
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import { openEvent } from './event.ts';
import { createFeedPaths, type FeedPaths } from './feed-paths.ts';
import { type FeedRecord, type LogPosition, PositionGoneError } from './feed-ports.ts';
import { createFeedReports, type FeedReports, type FeedStatus } from './feed-reports.ts';
import {
  type FeedEffect,
  type FeedInput,
  type FeedRequest,
  type FeedState,
  type Freshness,
  freshnessAt,
  type Instant,
  initialState,
  nextRequest,
  positionOf,
  step,
} from './freshness.ts';
import { createKeyAnnouncements, type KeyAnnouncements } from './key-announcements.ts';
import type { PackedEntries } from './packed-entries.ts';
import type { AppliedEvent, RevocationFeed, RevocationFeedOptions } from './revocation-feed.ts';
import { createRevocationSet, type RevocationSet } from './revocation-set.ts';
import type { ExpectedOrigin } from './signed-statement.ts';
import { openSnapshot } from './snapshot.ts';

/** Keys are asked for again this often, so that a withdrawn one is forgotten. */
const keysMaxAgeMs = 300_000;
/** An unknown key id makes the keys be asked for again, at most this often. */
const keysMinAgeMs = 1_000;
/** A snapshot is large: two in a row keep this distance. */
const snapshotDistanceMs = 1_000;
/** Time for an event that was overtaken to come by itself. */
const reorderGraceMs = 25;
/** Longest pause between questions to the record: with what a channel waits before it connects again it bounds recovery after an outage (3 s). */
const maxPauseMs = 1_000;
const minPauseMs = 50;
/** Forgetting looks at every target, a part at each tick; late forgetting costs memory only. */
const expireEveryMs = 5_000;
/** After this many events others get their turn: a check takes about 0.1 ms. */
const eventsPerTurn = 32;

/**
 * A feed that keeps itself fresh. Returns at once: it fetches keys and a snapshot, listens, fills gaps and fails over in the background, and
 * goes on trying until it is closed. It never throws later: what fails is in `status()`.
 *
 * Messages need not be trusted: each is verified, and completeness is judged by the log's own numbers and hashes. Nothing counts as
 * fresh after a start or a reconnection before the record has answered with a checkpoint that was asked for with a nonce.
 *
 * @throws {TypeError} when an option is out of its range.
 */
export function createRevocationFeed(options: RevocationFeedOptions): RevocationFeed {
  const { staleAfterMs = 5_000, futureToleranceMs = 5_000 } = options;
  if (!(staleAfterMs >= 100 && staleAfterMs <= 3_600_000)) throw new TypeError('staleAfterMs must be 100 to 3 600 000 milliseconds');
  if (!(futureToleranceMs >= 0 && futureToleranceMs <= 60_000)) throw new TypeError('futureToleranceMs must be 0 to 60 000 milliseconds');
  return new Feed(options, staleAfterMs, futureToleranceMs);
}

class Feed implements RevocationFeed {
  readonly set: RevocationSet = createRevocationSet();
  readonly #record: FeedRecord;
  readonly #expected: ExpectedOrigin;
  readonly #limits: { readonly staleAfterMs: number; readonly futureToleranceMs: number };
  readonly #now: () => number;
  readonly #monotonicNow: () => number;
  readonly #newId: () => string;
  readonly #random: () => number;
  readonly #listeners = new Set<(applied?: AppliedEvent) => void>();
  readonly #reports: FeedReports;
  readonly #closing = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  readonly #onKeysVersion: (version: number) => void;
  readonly #announcements: KeyAnnouncements;
  readonly #ticker: NodeJS.Timeout;
  readonly #paths: FeedPaths;
  #state: FeedState = initialState;
  #keys: ReadonlyMap<string, VerificationKey> = new Map();
  #keysWanted = true;
  #keysAtMs = Number.NEGATIVE_INFINITY;
  #snapshotAtMs = Number.NEGATIVE_INFINITY;
  #silenceAtMs = Number.NEGATIVE_INFINITY;
  #expiredAtMs = Number.NEGATIVE_INFINITY;
  #isExpiring = false;
  #reported: Freshness['state'] = 'empty';
  #working: Promise<void> | undefined;

  constructor(options: RevocationFeedOptions, staleAfterMs: number, futureToleranceMs: number) {
    this.#record = options.record;
    this.#expected = { issuer: options.issuer, mesh: options.mesh };
    this.#limits = { staleAfterMs, futureToleranceMs };
    this.#now = options.now ?? Date.now;
    this.#monotonicNow = options.monotonicNow ?? (() => performance.now());
    this.#newId = options.newId ?? randomUUID;
    this.#random = options.random ?? Math.random;
    this.#onKeysVersion = options.onKeysVersion ?? (() => {});
    this.#announcements = createKeyAnnouncements({
      ask: () => {
        this.#keysWanted = true;
        this.#work();
      },
      monotonicNow: this.#monotonicNow,
      random: this.#random,
    });
    this.#reports = createFeedReports(this.#closing.signal, options.report);
    // Whoever calls ready() sees the rejection; nobody has to.
    this.#ready.promise.catch(() => {});
    this.#paths = createFeedPaths({
      courier: options.courier,
      fallback: options.fallback,
      silenceMs: staleAfterMs / 2,
      monotonicNow: this.#monotonicNow,
      position: () => positionOf(this.#state),
      onEvent: (compact, path, traceparent) => this.#receive(path, () => this.#receiveEvent(compact, path, traceparent)),
      onCheckpoint: (compact, path) => this.#receive(path, () => this.#receiveCheckpoint(compact)) === true,
      onConnected: () => this.#step({ type: 'connected' }),
      report: (status) => this.#reports.report(status),
    });
    this.#ticker = setInterval(() => this.#tick(), staleAfterMs / 10);
    this.#ticker.unref();
    this.#work();
  }

  freshness(at = this.#instant()): Freshness {
    return freshnessAt(this.#state, at, this.#paths.current(at.monotonicMs));
  }

  onApplied(listener: (applied?: AppliedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  status(): AsyncIterable<FeedStatus> {
    return this.#reports.status();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#ticker);
    this.#announcements.close();
    this.#ready.reject(new Error('The revocation feed was closed before it was fresh'));
    await Promise.all([this.#paths.close(), this.#working]);
    this.#listeners.clear();
    this.#reports.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #instant(): Instant {
    return { wallMs: this.#now(), monotonicMs: this.#monotonicNow() };
  }

  #step(input: FeedInput, came: Arrival = {}): void {
    const { state, effects } = step(this.#state, input, this.#limits);
    this.#state = state;
    for (const effect of effects) this.#perform(effect, came);
    this.#noteFreshness();
    this.#work();
  }

  #perform(effect: FeedEffect, { applied, loaded }: Arrival): void {
    switch (effect.type) {
      case 'apply':
        this.set.apply(effect.signed.event);
        this.#announce(applied);
        return;
      case 'load':
        // beside what is held, they were put there before
        if (effect.replace && loaded !== undefined) this.set.load(loaded);
        this.#announce();
        return;
      case 'alarm':
        this.#reports.report({ type: 'alarm', alarm: effect.alarm });
        return;
      default:
        effect satisfies never;
    }
  }

  #announce(applied?: AppliedEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(applied);
      } catch (error) {
        this.#reports.report({ type: 'listener-failed', error });
      }
    }
  }

  #noteFreshness(): void {
    const freshness = this.freshness();
    if (freshness.state === this.#reported) return;
    this.#reported = freshness.state;
    if (freshness.state === 'fresh') this.#ready.resolve();
    this.#reports.report({ type: 'freshness', freshness });
  }

  #tick(): void {
    const { wallMs, monotonicMs } = this.#instant();
    this.#paths.check();
    this.#expire(wallMs);
    if (monotonicMs - this.#keysAtMs > keysMaxAgeMs) this.#keysWanted = true;
    const freshness = this.freshness();
    const silenceMs = this.#limits.staleAfterMs / 2;
    // The record itself is the last path: while nothing else brings checkpoints, one is asked for twice per S.
    if (freshness.state !== 'empty' && freshness.ageMs > silenceMs && monotonicMs - this.#silenceAtMs > silenceMs) {
      this.#silenceAtMs = monotonicMs;
      this.#step({ type: 'silence' });
    }
    this.#noteFreshness();
    this.#work();
  }

  #expire(wallMs: number): void {
    const freshness = this.freshness();
    if (freshness.state === 'empty') return;
    // By the issuer's word on the time as well: a clock that is ahead here for a while must not make forget what counts again once it is set right.
    const knownMs = Math.min(wallMs, freshness.freshAtMs);
    // Either way: a clock that was set back must not stop it.
    if (!this.#isExpiring && Math.abs(knownMs - this.#expiredAtMs) < expireEveryMs) return;
    this.#expiredAtMs = knownMs;
    this.#isExpiring = !this.set.expire(knownMs / 1000);
  }

  /** What `receive` returns, or `undefined` for a message that is not to be trusted. */
  #receive<Result>(path: string, receive: () => Result): Result | undefined {
    if (this.#keys.size === 0) return undefined;
    try {
      return receive();
    } catch (error) {
      this.#reject(path, error);
      return undefined;
    }
  }

  #receiveEvent(compact: string, path: string, traceparent: AppliedEvent['traceparent'] = () => undefined): void {
    const receivedAtMs = this.#now();
    const signed = openEvent(compact, this.#keys, this.#expected);
    this.#step({ type: 'event', signed }, { applied: { event: signed.event, path, receivedAtMs, traceparent } });
  }

  /** Whether the checkpoint shows that its path is alive. */
  #receiveCheckpoint(compact: string): boolean {
    const at = this.#instant();
    const checkpoint = openCheckpoint(compact, this.#keys, this.#expected);
    this.#step({ type: 'checkpoint', checkpoint, at });
    this.#noteKeysVersion(checkpoint);
    return Math.abs(at.wallMs - checkpoint.t) <= this.#limits.staleAfterMs;
  }

  /** What it says of keys counts when the checkpoint does: one that was kept and played again would have them asked for in vain. */
  #noteKeysVersion({ t, keysVersion }: Checkpoint): void {
    const freshness = this.freshness();
    if (keysVersion === undefined || freshness.state === 'empty' || freshness.freshAtMs !== t) return;
    this.#announcements.announced(keysVersion);
    this.#onKeysVersion(keysVersion);
  }

  #reject(path: string, error: unknown): void {
    const { reason, message } = error instanceof TokenError ? error : new TokenError('TOKEN_MALFORMED', 'It could not be read');
    this.#reports.report({ type: 'rejected', path, reason, message });
    if (reason !== 'SIGNING_KEY_UNKNOWN' || this.#monotonicNow() - this.#keysAtMs < keysMinAgeMs) return;
    // The message itself is dropped: with the new keys, the record's checkpoint tells what is missing.
    this.#keysWanted = true;
    this.#step({ type: 'silence' });
  }

  /** Starts to ask the record for what is missing, unless that is going on. */
  #work(): void {
    if (this.#working !== undefined || this.#closing.signal.aborted || this.#nextRequest() === undefined) return;
    this.#working = this.#catchUp().finally(() => {
      this.#working = undefined;
      this.#work();
    });
  }

  #nextRequest(): FeedRequest | { readonly type: 'keys' } | undefined {
    return this.#keysWanted ? { type: 'keys' } : nextRequest(this.#state);
  }

  async #catchUp(): Promise<void> {
    let failures = 0;
    if (this.#nextRequest()?.type === 'fill') await this.#pause(reorderGraceMs * (1 + this.#random()));
    for (let request = this.#nextRequest(); request !== undefined; request = this.#nextRequest()) {
      if (this.#closing.signal.aborted) return;
      try {
        await this.#ask(request);
        if (JSON.stringify(request) === JSON.stringify(this.#nextRequest())) throw new Error('The answer brought nothing new');
        failures = 0;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#reports.report({ type: 'request-failed', request: request.type, error });
        await this.#pause(Math.min(maxPauseMs, minPauseMs * 2 ** failures++) * (0.5 + this.#random() / 2));
      }
    }
  }

  #ask(request: FeedRequest | { readonly type: 'keys' }): Promise<void> {
    switch (request.type) {
      case 'keys':
        return this.#fetchKeys();
      case 'snapshot':
        return this.#fetchSnapshot();
      case 'fill':
        return this.#fill(request);
      case 'confirm':
        return this.#confirm(request);
      default: {
        const unreachable: never = request;
        return unreachable;
      }
    }
  }

  async #fetchKeys(): Promise<void> {
    this.#announcements.asked();
    const { keys, version } = await this.#record.keys(this.#closing.signal);
    this.#keys = importJwks(keys);
    this.#announcements.answered(version);
    this.#keysAtMs = this.#monotonicNow();
    this.#keysWanted = false;
  }

  async #fetchSnapshot(): Promise<void> {
    await this.#pause(this.#snapshotAtMs + snapshotDistanceMs * (1 + this.#random()) - this.#monotonicNow());
    this.#snapshotAtMs = this.#monotonicNow();
    const reading = new AbortController();
    try {
      const snapshot = await this.#record.snapshot(AbortSignal.any([this.#closing.signal, reading.signal]));
      const { head, entries } = await this.#openSnapshot(snapshot);
      // What the issuer signed for this epoch is in force whatever its place in the log; once it counts, all of it has to be there.
      if (head.epoch === positionOf(this.#state).epoch) await this.set.merge(entries);
      if (!this.#closing.signal.aborted) this.#step({ type: 'snapshot', head }, { loaded: entries });
    } finally {
      reading.abort();
    }
  }

  async #openSnapshot(snapshot: Awaited<ReturnType<FeedRecord['snapshot']>>): ReturnType<typeof openSnapshot> {
    try {
      return await openSnapshot(snapshot, this.#keys, this.#expected);
    } catch (error) {
      if (error instanceof TokenError) this.#reject('record', error);
      throw error;
    }
  }

  async #fill(from: LogPosition): Promise<void> {
    try {
      const { events } = await this.#record.listEvents({ epoch: from.epoch, n: from.n }, this.#closing.signal);
      for (const [index, compact] of events.entries()) {
        if (index % eventsPerTurn === eventsPerTurn - 1) await turn();
        this.#open(() => this.#receiveEvent(compact, 'record'));
      }
    } catch (error) {
      if (!(error instanceof PositionGoneError)) throw error;
      this.#step({ type: 'gone' });
    }
  }

  async #confirm(asked: Extract<FeedRequest, { type: 'confirm' }>): Promise<void> {
    const nonce = this.#newId();
    const monotonicMs = this.#monotonicNow();
    const compact = await this.#record.checkpoint(nonce, this.#closing.signal);
    const checkpoint = this.#open(() => openCheckpoint(compact, this.#keys, this.#expected));
    if (checkpoint.nonce !== nonce) throw new Error('The checkpoint does not carry the nonce that it was asked for with');
    // It also shows that the wall clock here is right, and that only to the time which the answer took.
    const tookMs = this.#monotonicNow() - monotonicMs;
    if (tookMs > this.#limits.staleAfterMs) throw new Error('The checkpoint took longer to come than it is worth');
    this.#step({ type: 'checkpoint', checkpoint, at: { wallMs: this.#now(), monotonicMs }, asked });
    this.#noteKeysVersion(checkpoint);
  }

  /** An answer of the record is verified like everything else. */
  #open<Result>(open: () => Result): Result {
    try {
      return open();
    } catch (error) {
      this.#reject('record', error);
      throw error;
    }
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await delay(ms, undefined, { signal: this.#closing.signal }).catch(() => {});
  }
}

/** What a step may put into force: an event, or the entries of a snapshot. */
interface Arrival {
  readonly applied?: AppliedEvent;
  readonly loaded?: PackedEntries;
}
