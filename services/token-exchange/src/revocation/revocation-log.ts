import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RevocationView } from '@tokenmesh/interceptor';
import { type FeedPublisher, signCheckpoint, signEvent, signSnapshot, type Target, type TargetKind } from '@tokenmesh/revocation';
import { TokenError } from '@tokenmesh/token';
import { auditEntry } from '../audit/audit.ts';
import type { KeyRing } from '../keys/keys.ts';
import type { Head, StoredEvent } from '../record/revocation-records.ts';
import type { Store, StoreTransaction } from '../record/store.ts';
import { createAppliedLog, type LogListener } from './applied-log.ts';

/** What is to be taken back. `exp` (seconds since epoch) is known for a single token only; otherwise the longest possible life counts. */
export interface RevocationTarget {
  readonly kind: TargetKind;
  readonly value: string;
  readonly exp?: number;
}

/** One request to revoke. */
export interface Revocation {
  /** 1 to 500, all or none. */
  readonly targets: readonly RevocationTarget[];
  /** Who asks, as verified. */
  readonly requestedBy: string;
  /** A repetition under the same id by the same identity answers as the first request did; absent: never a repetition. */
  readonly requestId?: string;
  /** For people; kept in the record, never broadcast. */
  readonly note?: string;
  /** Suspends this workload in the same transaction. */
  readonly suspend?: string;
}

/** A revocation that is durable: no restart, failover or loss of the courier takes it back. */
export interface Acknowledgement {
  readonly n: number;
  /** Milliseconds since epoch. */
  readonly acknowledgedAtMs: number;
  /** `sent`: the courier has it, or none is configured and the gRPC feed carries it. `pending`: handed to the courier again until it takes it. */
  readonly broadcast: 'sent' | 'pending';
}

/** The revocation log as this process writes and applies it, and the source of checkpoints and snapshots. Others may write to the same record. */
export interface RevocationLog {
  /**
   * Makes a revocation durable, puts it into force here, and broadcasts it. Calls within 2 ms share one event, one signature and one commit.
   *
   * @throws {TokenError} REQUEST_INVALID when the request id was used for something else, or is longer than 256 characters.
   * @throws {Error} When the record did not take it: nothing is revoked then.
   */
  append(revocation: Revocation): Promise<Acknowledgement>;
  /**
   * As `append`, as a part of a transaction that the caller has begun: durable with it or not at all, and without waiting for others.
   *
   * @returns To be called once the transaction has resolved: puts the revocation into force here and broadcasts it.
   */
  appendIn(transaction: StoreTransaction, revocation: Revocation): Promise<() => Promise<Acknowledgement>>;
  /** A signed checkpoint made now; `nonce` is repeated in it. */
  checkpoint(nonce?: string): Promise<string>;
  /** Every target in force at one position, signed. */
  snapshot(): Promise<{ head: string; chunks: Uint8Array[] }>;
  head(): Promise<Head>;
  /** Contiguous events from `from` on: at most `limit`, and no more than one message should hold. */
  events(from: number, limit: number): Promise<readonly StoredEvent[]>;
  /** What is in force in this process; stale while it cannot be known what other processes appended. */
  readonly view: RevocationView;
  /** Returns the way to stop. */
  listen(listener: LogListener): () => void;
  /** Stops the timers and waits for what was under way. Calls of `append` that were accepted are finished. */
  close(): Promise<void>;
}

export interface RevocationLogOptions {
  readonly store: Store;
  readonly keys: KeyRing;
  readonly issuer: string;
  /** The trust domain. */
  readonly mesh: string;
  /** S: the age at which verifiers count their knowledge as stale. */
  readonly staleAfterMs: number;
  /** The longest life of a token in seconds: how long a revocation has to be remembered. */
  readonly ceilingSeconds: number;
  /** Carries events beside the gRPC feed; absent: the gRPC feed alone. */
  readonly publisher?: FeedPublisher;
  /** Told of what goes wrong in the background. */
  readonly onProblem: (problem: 'checkpoint' | 'publish' | 'housekeeping' | 'follow', error: unknown) => void;
  readonly now: () => number;
  /** Milliseconds on a clock that is never set; default `performance.now`. */
  readonly monotonicNow?: () => number;
  readonly newId: () => string;
}

/** Concurrent revocations wait this long for one another: a signature and a commit cost about as much. */
const batchWindowMs = 2;
/** protocol section 7: what one event holds. */
const maxTargets = 500;
/** Targets that the audit names; the event of the log at `n` has all. */
const maxAuditedTargets = 20;
/** Bytes of target values in one event when several requests share it: the signed event stays far below 512 KiB. */
const maxValueBytes = 128 * 1024;
/** Room for any id that a client makes up, and for `chain:` before a txn of 128 characters. */
const maxRequestIdLength = 256;
/** An answer waits this long for the courier before it says `pending`; a healthy one takes a millisecond. */
const courierPatienceMs = 250;
const checkpointIntervalMs = 1000;
const housekeepingIntervalMs = 30_000;
/** How often a shared record is asked for what other processes appended: one row by its key, and the delay of their events on streams from here. */
const followIntervalMs = 100;
/** Events that one sweep hands to the courier again. */
const sweepSize = 100;
/** Bytes of events in one answer: a gRPC client takes 4 MiB. */
const maxAnswerBytes = 2 * 1024 * 1024;
/** Verifiers may tolerate this difference of clocks at most (seconds), and so accept a token this long after its `exp`. */
const clockToleranceSeconds = 60;
/** How long verifiers keep and use a key that they can no longer ask about (protocol section 8): a stolen key must stay revoked for as long. */
const keyMemorySeconds = 24 * 60 * 60;

interface Pending {
  readonly revocation: Revocation;
  readonly digest: string;
  readonly resolve: (acknowledgement: Acknowledgement) => void;
  readonly reject: (error: unknown) => void;
}

/** The outcome of one transaction for one request. */
type Outcome = { readonly n: number; readonly acknowledgedAtMs: number; readonly repeated: boolean } | TokenError;

/** Opens the log: loads what is in force, then signs a checkpoint every second until it is closed. */
export async function openRevocationLog(options: RevocationLogOptions): Promise<RevocationLog> {
  const { store, keys, issuer, mesh, staleAfterMs, publisher, onProblem, now, newId } = options;
  const { entries, position } = await store.transaction(async (transaction) => ({
    position: await transaction.head(),
    entries: await transaction.targetsInForce(Math.floor(now() / 1000)),
    longestLife: await transaction.longestLife(options.ceilingSeconds),
  }));
  const applied = createAppliedLog({
    ...{ store, head: position, entries, staleAfterMs, now },
    monotonicNow: options.monotonicNow ?? (() => performance.now()),
    onProblem: (error) => onProblem('follow', error),
  });

  const { epoch } = position;
  const waiting: Pending[] = [];
  let draining: Promise<void> | undefined;
  const publishing = new Map<number, Promise<boolean>>();

  async function drain(): Promise<void> {
    await delay(batchWindowMs);
    while (waiting.length > 0) await commit(takeBatch(waiting));
    draining = undefined;
  }

  async function commit(batch: readonly Pending[]): Promise<void> {
    try {
      const { outcomes, event, targets } = await store.transaction((transaction) => write(transaction, batch));
      conclude(outcomes, event, targets);
    } catch (error) {
      for (const pending of batch) pending.reject(error);
    }
  }

  /** After the commit. */
  function conclude(outcomes: ReadonlyMap<Pending, Outcome>, event: StoredEvent | undefined, targets: readonly Target[]): void {
    if (event) applied.put(event, targets);
    const sent = event ? publish(event) : Promise.resolve(true);
    // a withdrawn key has stopped signing here before anybody is told; what is wrong with the ones that are left is the rotation's to report
    const settled = kidsAmong(targets).length > 0 ? keys.reload().catch(() => undefined) : undefined;
    for (const [pending, outcome] of outcomes) {
      if (outcome instanceof TokenError) pending.reject(outcome);
      else
        Promise.resolve(settled)
          .then(() => answer(outcome, sent))
          .then(pending.resolve, pending.reject);
    }
  }

  async function write(transaction: StoreTransaction, batch: readonly Pending[]) {
    const { n: last, h: prev } = await applied.checkedHead(() => transaction.holdHead());
    const outcomes = new Map<Pending, Outcome>();
    const fresh: Pending[] = [];
    for (const pending of batch) {
      const { requestedBy, requestId } = pending.revocation;
      const sameInBatch = fresh.find(
        ({ revocation }) => requestId && revocation.requestId === requestId && revocation.requestedBy === requestedBy,
      );
      const earlier = requestId ? await transaction.findRequest(requestedBy, requestId) : undefined;
      const first = sameInBatch ?? earlier;
      if (!first) fresh.push(pending);
      else if (first.digest !== pending.digest) {
        outcomes.set(pending, new TokenError('REQUEST_INVALID', 'the request id was used for another revocation'));
      } else if (earlier) outcomes.set(pending, { n: earlier.n, acknowledgedAtMs: earlier.acknowledgedAtMs, repeated: true });
    }
    if (fresh.length === 0) return { outcomes, event: undefined, targets: [] };

    const t = now();
    const n = last + 1;
    const longestLifeSeconds = await transaction.longestLife(options.ceilingSeconds);
    // tokens are issued for a session until it is over: what is taken back from it must not be forgotten before
    const sessionSeconds = (await transaction.latestFamilyExp()) - Math.floor(t / 1000);
    const targets = mergeTargets(fresh, Math.floor(t / 1000), Math.max(longestLifeSeconds, sessionSeconds));
    const kids = kidsAmong(targets);
    const isFeedRekeyed = kids.length > 0 && (await keys.withdraw(transaction, kids)).includes('feed');
    // nobody can check events of a withdrawn key: who needs one of them takes a snapshot
    if (isFeedRekeyed) await transaction.forgetEvents(last);
    const { compact, hash } = signEvent(
      {
        iss: issuer,
        aud: mesh,
        iat: Math.floor(t / 1000),
        jti: newId(),
        epoch,
        n,
        t,
        prev,
        targets: targets.map(({ kind, value, exp }) => ({ kind, value, exp })),
      },
      await keys.feedKey(transaction),
    );
    const event: StoredEvent = { n, compact, hash, t };
    await transaction.appendEvent(
      { ...event, sent: publisher === undefined },
      targets.map((target) => ({ ...target, n, t })),
    );
    for (const { revocation, digest } of fresh) {
      const { requestedBy, requestId, suspend, note = '' } = revocation;
      auditRevocation(revocation, n, transaction);
      if (suspend) await transaction.suspend({ clientId: suspend, suspendedBy: requestedBy, suspendedAtMs: t, note });
      if (requestId) await transaction.addRequest({ requestedBy, requestId, digest, n, acknowledgedAtMs: t });
    }
    for (const pending of batch) if (!outcomes.has(pending)) outcomes.set(pending, { n, acknowledgedAtMs: t, repeated: false });
    return { outcomes, event, targets };
  }

  function auditRevocation({ targets, requestedBy: who, note = '', suspend }: Revocation, n: number, transaction: StoreTransaction): void {
    const names = targets.slice(0, maxAuditedTargets).map(({ kind, value }) => (value === '' ? kind : `${kind} ${value}`));
    const [only] = targets;
    const what = { n: String(n), targets: names.join(', '), count: String(targets.length), note };
    // of a single token or chain, so that whoever asks for it by name finds its end as well
    const handle = (kind: TargetKind) => (targets.length === 1 && only?.kind === kind ? only.value : '');
    transaction.audit(auditEntry('revocation.added', now, { who, what, jti: handle('token'), txn: handle('chain') }));
    if (suspend) transaction.audit(auditEntry('workload.suspended', now, { who, what: { workload: suspend, note } }));
  }

  // one row for what several requests name: the log has one target for it, and the first who asked is on record
  function mergeTargets(fresh: readonly Pending[], nowSeconds: number, longestLifeSeconds: number) {
    const merged = new Map<string, Target & { readonly revokedBy: string; readonly note: string }>();
    for (const { revocation } of fresh) {
      for (const target of revocation.targets) {
        const { kind, value } = target;
        const name = `${kind} ${value}`;
        const earlier = merged.get(name);
        const exp = Math.max(earlier?.exp ?? 0, expiryOf(target, nowSeconds, longestLifeSeconds));
        merged.set(name, {
          kind,
          value,
          exp,
          revokedBy: earlier?.revokedBy ?? revocation.requestedBy,
          note: earlier?.note ?? revocation.note ?? '',
        });
      }
    }
    return [...merged.values()];
  }

  function expiryOf({ kind, exp }: RevocationTarget, nowSeconds: number, longestLifeSeconds: number): number {
    const lastToken = exp ?? nowSeconds + longestLifeSeconds + 1; // a token that is being issued this second
    return lastToken + clockToleranceSeconds + (kind === 'key' ? keyMemorySeconds : 0);
  }

  /** Whether the courier took the event; never rejects. */
  function publish(event: StoredEvent): Promise<boolean> {
    if (!publisher) return Promise.resolve(true);
    const underWay = publishing.get(event.n);
    if (underWay) return underWay;
    const attempt = publisher
      .publishEvent({ epoch, n: event.n, compact: event.compact })
      .then(() => store.markSent(event.n))
      .then(
        () => true,
        (error: unknown) => {
          onProblem('publish', error);
          return false;
        },
      )
      .finally(() => publishing.delete(event.n));
    publishing.set(event.n, attempt);
    return attempt;
  }

  async function answer(outcome: Exclude<Outcome, TokenError>, sent: Promise<boolean>): Promise<Acknowledgement> {
    const { n, acknowledgedAtMs, repeated } = outcome;
    const isSent = repeated ? await store.isSent(n) : await within(courierPatienceMs, sent);
    return { n, acknowledgedAtMs, broadcast: isSent ? 'sent' : 'pending' };
  }

  async function checkpoint(nonce?: string): Promise<string> {
    const t = now(); // before n: what was acknowledged until t is counted in n
    const { n, h } = await applied.checkedHead(() => store.head());
    return signCheckpoint(
      { iss: issuer, aud: mesh, epoch, n, h, t, s: staleAfterMs, ...(nonce !== undefined && { nonce }) },
      keys.feed.signing,
    );
  }

  async function broadcastCheckpoint(): Promise<void> {
    const compact = await checkpoint();
    publisher?.publishCheckpoint(compact);
    if (store.isShared) await applied.catchUp(); // streams from here get the events that it counts before it
    applied.tellCheckpoint(compact);
  }

  async function sweep(): Promise<void> {
    if (!publisher) return;
    for (const event of await store.unsentEvents(sweepSize)) {
      if (!(await publish(event))) return; // the courier is away: the next sweep tries again
    }
  }

  async function keepHouse(): Promise<void> {
    const nowSeconds = Math.floor(now() / 1000);
    applied.expire(nowSeconds);
    await store.deleteExpired(nowSeconds);
  }

  const stops = [
    every(checkpointIntervalMs, broadcastCheckpoint, (error) => onProblem('checkpoint', error)),
    every(checkpointIntervalMs, sweep, (error) => onProblem('publish', error)),
    every(housekeepingIntervalMs, keepHouse, (error) => onProblem('housekeeping', error)),
    ...(store.isShared ? [every(followIntervalMs, applied.catchUp, (error) => onProblem('follow', error))] : []),
  ];

  return {
    append(revocation) {
      return new Promise((resolve, reject) => {
        if ((revocation.requestId?.length ?? 0) > maxRequestIdLength) {
          throw new TokenError('REQUEST_INVALID', `a request id has at most ${maxRequestIdLength} characters`);
        }
        waiting.push({ revocation, digest: digestOf(revocation), resolve, reject });
        draining ??= drain();
      });
    },
    async appendIn(transaction, revocation) {
      const { promise, resolve, reject } = Promise.withResolvers<Acknowledgement>();
      const { outcomes, event, targets } = await write(transaction, [{ revocation, digest: digestOf(revocation), resolve, reject }]);
      return () => {
        conclude(outcomes, event, targets);
        return promise;
      };
    },
    checkpoint,
    async snapshot() {
      const t = now();
      const { head, targets } = await store.transaction(async (transaction) => ({
        head: await applied.checkedHead(() => transaction.head()),
        targets: await transaction.targetsInForce(Math.floor(t / 1000)),
      }));
      // what was appended between the two reads comes as an event
      const until = targets.filter(({ n }) => n <= head.n);
      const entries = until.map(({ kind, value, exp, n, t: at }) => ({ kind, value, exp, n, t: at }));
      return signSnapshot({ iss: issuer, aud: mesh, epoch, n: head.n, h: head.h, t, s: staleAfterMs }, entries, keys.feed.signing);
    },
    head: () => store.head(),
    async events(from, limit) {
      const events = await store.events(from, limit);
      let bytes = 0;
      const end = events.findIndex(({ compact }) => {
        bytes += compact.length;
        return bytes > maxAnswerBytes;
      });
      return end === -1 ? events : events.slice(0, Math.max(end, 1));
    },
    view: applied.view,
    listen: applied.listen,
    async close() {
      await Promise.all(stops.map((stop) => stop()));
      await draining;
      await Promise.all(publishing.values());
    },
  };
}

/** Signing keys that are revoked by these targets. */
function kidsAmong(targets: readonly Target[]): readonly string[] {
  return targets.filter(({ kind }) => kind === 'key').map(({ value }) => value);
}

/** Requests for one event, in order: as many as fit, and at least one. */
function takeBatch(waiting: Pending[]): readonly Pending[] {
  let [targets, bytes] = [0, 0];
  const end = waiting.findIndex(({ revocation }) => {
    targets += revocation.targets.length;
    bytes += revocation.targets.reduce((sum, { value }) => sum + value.length, 0);
    return targets > maxTargets || bytes > maxValueBytes;
  });
  return waiting.splice(0, end === -1 ? waiting.length : Math.max(end, 1));
}

/** What makes two requests the same request. */
function digestOf({ targets, suspend = '' }: Revocation): string {
  const content = [suspend, ...targets.map(({ kind, value }) => `${kind} ${value}`).sort()].join('\n');
  return createHash('sha256').update(content).digest('base64url');
}

async function within(ms: number, promise: Promise<boolean>): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(ms, false, { signal: timer.signal, ref: false }).catch(() => false);
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}

/** Runs `work` at an interval, never twice at once; the returned function stops it and waits for the run that is under way. */
function every(ms: number, work: () => Promise<void>, onError: (error: unknown) => void): () => Promise<void> {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= work()
      .catch(onError)
      .finally(() => {
        running = undefined;
      });
  }, ms);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
