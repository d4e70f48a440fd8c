import { setImmediate as turn } from 'node:timers/promises';
import type { RevocationView } from '@tokenmesh/interceptor';
import { createRevocationSet, type PackedEntries, type Target } from '@tokenmesh/revocation';
import type { Head, StoredEvent } from '../record/revocation-records.ts';
import type { Store } from '../record/store.ts';

/** An event on its way out. */
export interface BroadcastEvent extends StoredEvent {
  /** The span that publishes it (W3C Trace Context); absent: it is not sampled, or another process appended it. */
  readonly traceparent?: string;
}

/** What listens to the log as it grows, the gRPC path of the feed. Must not throw. */
export interface LogListener {
  onEvent(event: BroadcastEvent): void;
  onCheckpoint(compact: string): void;
}

/** What is in force in this process: the revocation log as far as it was applied here, whichever process appended it. */
export interface AppliedLog {
  /** Fresh for as long as the record's head was read, and everything up to it applied, at most S ago. A record that is not shared is always known. */
  readonly view: RevocationView;
  /** Last position up to which everything is applied. */
  readonly n: number;
  /** Puts an event that this process appended into force at once, and tells listeners of it in its turn. */
  put(event: BroadcastEvent, targets: readonly Target[]): void;
  /**
   * Applies what other processes appended. When it resolves, everything that was in the record at the time of the call is in force here.
   *
   * @throws {Error} When the record cannot be read, or is not the one that this process knows.
   */
  catchUp(): Promise<void>;
  /**
   * Reads the record's head.
   * @throws {Error} When it is not of the log that is applied here, or lies behind what had been applied: the record was replaced.
   */
  checkedHead(read: () => Promise<Head>): Promise<Head>;
  /** Listeners get events in the order of their positions. Returns the way to stop. */
  listen(listener: LogListener): () => void;
  tellCheckpoint(compact: string): void;
  /**
   * What is in force at one position of the log, and that position.
   * @throws {Error} As `catchUp`.
   */
  capture(): Promise<{ head: Head; entries: PackedEntries }>;
  /** Forgets what expired before; others get turns of the event loop meanwhile. */
  expire(nowSeconds: number): Promise<void>;
}

export interface AppliedLogOptions {
  readonly store: Pick<Store, 'isShared' | 'head' | 'events' | 'targetsBetween' | 'targetsUpTo'>;
  /** Where the record's log stood a moment ago: what it had targeted by then is read. */
  readonly head: Head;
  readonly staleAfterMs: number;
  readonly onProblem: (error: unknown) => void;
  readonly now: () => number;
  readonly monotonicNow: () => number;
}

/** Events read at once. */
const pageSize = 500;

/**
 * Reads what is in force in the record, and follows the revocation log there.
 *
 * It asks the record instead of having itself notified: a question that fails shows, a notification that is lost does not, and what has to be
 * known is not only that something happened but also that nothing did. Both kinds of record answer it, through any pooler.
 */
export async function openAppliedLog(options: AppliedLogOptions): Promise<AppliedLog> {
  const { store, staleAfterMs, onProblem, now, monotonicNow } = options;
  const { epoch } = options.head;
  const set = createRevocationSet(epoch);
  const listeners = new Set<LogListener>();
  const appliedListeners = new Set<() => void>();
  let { n, h } = options.head;
  let highest = n;
  let reached = { wallMs: now(), monotonicMs: monotonicNow() };
  let reading: Promise<void> = Promise.resolve();

  function addToSet(event: Pick<StoredEvent, 'n' | 't'>, targets: readonly Target[]): void {
    set.apply({ n: event.n, t: event.t, targets });
    highest = Math.max(highest, event.n);
  }

  function enforce(event: Pick<StoredEvent, 'n' | 't'>, targets: readonly Target[]): void {
    addToSet(event, targets);
    for (const listener of appliedListeners) listener();
  }

  /** Puts all targets up to a position into force, without their events, which may be forgotten. */
  async function enforceTargets(upTo: number): Promise<void> {
    let targets = await store.targetsUpTo(upTo);
    for (; targets.length > 0; targets = await store.targetsUpTo(upTo, targets.at(-1))) {
      for (const target of targets) addToSet(target, [target]);
      for (const listener of appliedListeners) listener();
    }
  }

  function apply(event: BroadcastEvent, targets: readonly Target[]): void {
    enforce(event, targets);
    n = event.n;
    h = event.hash;
    for (const listener of listeners) listener.onEvent(event);
  }

  async function checkedHead(read: () => Promise<Head>): Promise<Head> {
    const known = n;
    const head = await read();
    if (head.epoch !== epoch) throw new Error('the record was replaced: its revocation log has another epoch; restart to use it');
    if (head.n < known)
      throw new Error(`the record was replaced: its revocation log ends at ${head.n}, and ${known} was seen in it before`);
    return head;
  }

  async function readOn(): Promise<void> {
    const asked = { wallMs: now(), monotonicMs: monotonicNow() }; // before the head: what was acknowledged until now is counted in it
    const head = await checkedHead(() => store.head());
    while (n < head.n) {
      const from = n + 1;
      const events = await store.events(from, pageSize);
      if (events[0]?.n === from) {
        const targets = Map.groupBy(await store.targetsBetween(from, events.at(-1)?.n ?? from), (target) => target.n);
        // what this process appended meanwhile was applied already
        for (const event of events) if (event.n === n + 1) apply(event, targets.get(event.n) ?? []);
      } else {
        // away for so long that the events are forgotten: their targets are there as long as they matter, and streams notice the gap
        const end = events.at(-1) ?? { n: head.n, hash: head.h };
        await enforceTargets(end.n);
        if (end.n > n) [n, h] = [end.n, end.hash];
      }
    }
    reached = asked;
  }

  function catchUp(): Promise<void> {
    const next = reading.then(readOn);
    reading = next.catch(() => undefined);
    return next;
  }

  await enforceTargets(n);

  return {
    get n() {
      return n;
    },
    view: {
      set,
      freshness() {
        if (!store.isShared) return { state: 'fresh', freshAtMs: now(), ageMs: 0, epoch, n, path: 'record' };
        const ageMs = Math.max(0, now() - reached.wallMs, monotonicNow() - reached.monotonicMs);
        return { state: ageMs <= staleAfterMs ? 'fresh' : 'stale', freshAtMs: reached.wallMs, ageMs, epoch, n, path: 'record' };
      },
      onApplied(listener) {
        appliedListeners.add(listener);
        return () => appliedListeners.delete(listener);
      },
    },
    put(event, targets) {
      if (event.n <= n) return; // was read from the record before the commit was answered
      if (event.n === n + 1) return apply(event, targets);
      enforce(event, targets);
      catchUp().catch(onProblem); // listeners get it after those in between, which others appended
    },
    catchUp,
    checkedHead,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tellCheckpoint(compact) {
      for (const listener of listeners) listener.onCheckpoint(compact);
    },
    async capture() {
      // what others appended before an event that was appended here is missing in the set while that one is in it
      do await catchUp();
      while (highest > n);
      return { head: { epoch, n, h }, entries: set.capture() };
    },
    async expire(nowSeconds) {
      while (!set.expire(nowSeconds)) await turn();
    },
  };
}
