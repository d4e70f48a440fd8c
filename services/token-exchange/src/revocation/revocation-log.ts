import { setImmediate as turn } from 'node:timers/promises';
import { type Context, context } from '@opentelemetry/api';
import type { RevocationView } from '@tokenmesh/interceptor';
import type { FeedPublisher, Target } from '@tokenmesh/revocation';
import { TokenError } from '@tokenmesh/token';
import { auditEntry } from '../audit/audit.ts';
import { every } from '../every.ts';
import type { KeyRing } from '../keys/keys.ts';
import type { Head, StoredEvent } from '../record/revocation-records.ts';
import type { Store, StoreTransaction } from '../record/store.ts';
import { type BroadcastEvent, type LogListener, openAppliedLog } from './applied-log.ts';
import {
  createEventWriter,
  kidsAmong,
  type Outcome,
  type RevocationRequest,
  readRequest,
  takeBatch,
  type WrittenEvent,
} from './event-writer.ts';
import { createExpiryClock } from './expiry-clock.ts';
import { createLogStatements, type LogStatements } from './log-statements.ts';
import { createOutbox, isSentInTime } from './outbox.ts';
import { startPublishSpan } from './publish-span.ts';
import type { Acknowledgement, Revocation } from './revocation.ts';
import { type StreamFinding, startStreamAuditor } from './stream-auditor.ts';

/** The revocation log as this process writes and applies it, and the source of checkpoints and snapshots. Others may write to the same record. */
export interface RevocationLog extends LogStatements {
  /**
   * Makes a revocation durable, puts it into force here, and broadcasts it. Calls that come together, or while others are being committed, share one
   * event, one signature and one commit. One that comes alone waits for nobody.
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
  /** How long a session that begins now may last, in seconds; 0, the default, while none can begin. */
  readonly sessionSeconds?: () => number;
  /** Carries events beside the gRPC feed; absent: the gRPC feed alone. */
  readonly publisher?: FeedPublisher;
  /** Told of what goes wrong in the background. */
  readonly onProblem: (problem: 'checkpoint' | 'publish' | 'housekeeping' | 'follow' | 'stream_audit', error: unknown) => void;
  /** Told when the courier's stream is not what the record says; the audit has it as well, as `stream.<kind>`. Default: nobody. */
  readonly onFinding?: (finding: StreamFinding) => void;
  /** Told of targets that this process made durable. Default: nobody. */
  readonly onRevoked?: (targets: readonly Target[]) => void;
  /** How often the courier's stream is compared with the record; default 10 000 ms. */
  readonly streamAuditIntervalMs?: number;
  readonly now: () => number;
  /** Milliseconds on a clock that is never set; default `performance.now`. */
  readonly monotonicNow?: () => number;
  readonly newId: () => string;
}

/** Revocations wait for one another at most this long while more of them come: a signature and a commit cost about as much. */
const batchWindowMs = 2;
const checkpointIntervalMs = 1000;
const housekeepingIntervalMs = 30_000;
/** How often a shared record is asked for what other processes appended: one row by its key, and the delay of their events on streams from here. */
const followIntervalMs = 100;
/** Bytes of events in one answer: a gRPC client takes 4 MiB. */
const maxAnswerBytes = 2 * 1024 * 1024;

/** A request that somebody waits for. */
interface Pending extends RevocationRequest {
  readonly resolve: (acknowledgement: Acknowledgement) => void;
  readonly reject: (error: unknown) => void;
  /** Of whoever asked, for telemetry. */
  readonly context: Context;
}

/** Opens the log: loads what is in force, then signs a checkpoint every second until it is closed. */
export async function openRevocationLog(options: RevocationLogOptions): Promise<RevocationLog> {
  const { store, keys, issuer, mesh, staleAfterMs, ceilingSeconds, publisher, onProblem, newId, sessionSeconds = () => 0 } = options;
  const monotonicNow = options.monotonicNow ?? (() => performance.now());
  const { position } = await store.transaction(async (transaction) => ({
    position: await transaction.head(),
    longestLife: await transaction.longestLife(ceilingSeconds),
  }));
  const [newest] = await store.events(position.n, 1);
  const clock = createExpiryClock({ now: options.now, monotonicNow, passedMs: newest?.t ?? 0 });
  const { now } = clock;
  const applied = await openAppliedLog({
    ...{ store, head: position, staleAfterMs, now },
    monotonicNow,
    onProblem: (error) => onProblem('follow', error),
  });
  const { epoch } = position;
  const write = createEventWriter({
    ...{ applied, keys, issuer, mesh, epoch, ceilingSeconds, clock, newId },
    // an engine with a single writer has no transactions beside one another
    begunSessionSeconds: () => (store.isShared ? sessionSeconds() : 0),
    hasCourier: publisher !== undefined,
  });
  const outbox = createOutbox({ store, publisher, epoch, onProblem: (error) => onProblem('publish', error) });
  const statements = createLogStatements({ store, applied, keys, issuer, mesh, epoch, staleAfterMs, clock });
  const waiting: Pending[] = [];
  let draining: Promise<void> | undefined;

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      await gather();
      await commit(takeBatch(waiting));
    }
    draining = undefined;
  }

  /** What came together, or during the commit before, is read from its connections within a turn of the event loop or two. */
  async function gather(): Promise<void> {
    const until = monotonicNow() + batchWindowMs;
    let known: number;
    do {
      known = waiting.length;
      await turn();
    } while (waiting.length > known && monotonicNow() < until);
  }

  async function commit(batch: readonly Pending[]): Promise<void> {
    try {
      conclude(await store.transaction((transaction) => write(transaction, batch)));
    } catch (error) {
      for (const pending of batch) pending.reject(error);
    }
  }

  /** After the commit. The courier gets the event before anything else is done with it: verifiers elsewhere wait for nobody here. */
  function conclude({ outcomes, event, targets }: WrittenEvent<Pending>): void {
    const published = event && publish(event, targets, [...outcomes.keys()]);
    if (event) options.onRevoked?.(targets);
    const sent = published ? isSentInTime(published.taken) : Promise.resolve(true);
    const settled = settle(published?.event, targets);
    for (const [pending, outcome] of outcomes) {
      if (outcome instanceof TokenError) pending.reject(outcome);
      else settled.then(() => answer(outcome, sent)).then(pending.resolve, pending.reject);
    }
  }

  function publish(event: StoredEvent, targets: readonly Target[], asked: readonly Pending[]) {
    const contexts = asked.map((pending) => pending.context);
    const span = startPublishSpan(contexts, event.n, targets);
    const broadcast: BroadcastEvent = { ...event, ...(span.traceparent !== undefined && { traceparent: span.traceparent }) };
    const taken = outbox.publish(broadcast);
    void taken.then(span.end);
    return { event: broadcast, taken };
  }

  async function settle(event: BroadcastEvent | undefined, targets: readonly Target[]): Promise<void> {
    await new Promise<void>((resolve) => process.nextTick(resolve)); // the event is with the courier then, and the store has noted its position
    if (event) applied.put(event, targets);
    // a withdrawn key has stopped signing here before anybody is told; what is wrong with the ones that are left is the rotation's to report
    if (kidsAmong(targets).length > 0) await keys.reload().catch(() => undefined);
  }

  async function answer(outcome: Exclude<Outcome, TokenError>, sent: Promise<boolean>): Promise<Acknowledgement> {
    const { n, acknowledgedAtMs, repeated } = outcome;
    const isSent = await (repeated ? outbox.isSent(n) : sent);
    return { n, acknowledgedAtMs, broadcast: isSent ? 'sent' : 'pending' };
  }

  let announcing = Promise.resolve();
  // verifiers ask for keys when a checkpoint says that there are others: a regular one may be a second away
  const stopAnnouncing = keys.onChange(() => {
    announcing = announcing.then(broadcastCheckpoint).catch((error: unknown) => onProblem('checkpoint', error));
  });

  async function broadcastCheckpoint(): Promise<void> {
    const compact = await statements.checkpoint();
    publisher?.publishCheckpoint(compact);
    if (store.isShared) await applied.catchUp(); // streams from here get the events that it counts before it
    applied.tellCheckpoint(compact);
  }

  function reportFinding(finding: StreamFinding): void {
    const entry = auditEntry(`stream.${finding.kind}`, now, { what: finding.what });
    store.transaction(async (transaction) => transaction.audit(entry)).catch((error: unknown) => onProblem('stream_audit', error));
    options.onFinding?.(finding);
  }

  async function keepHouse(): Promise<void> {
    const nowSeconds = Math.floor(clock.earliest() / 1000);
    await applied.expire(nowSeconds);
    await store.deleteExpired(nowSeconds);
  }

  const stops = [
    every(checkpointIntervalMs, broadcastCheckpoint, (error) => onProblem('checkpoint', error)),
    every(checkpointIntervalMs, outbox.sweep, (error) => onProblem('publish', error)),
    every(housekeepingIntervalMs, keepHouse, (error) => onProblem('housekeeping', error)),
    startStreamAuditor({
      ...{ store, keys, issuer, mesh, epoch, now },
      stream: () => publisher?.stream,
      onFinding: reportFinding,
      onProblem: (error) => onProblem('stream_audit', error),
      ...(options.streamAuditIntervalMs !== undefined && { intervalMs: options.streamAuditIntervalMs }),
    }),
    ...(store.isShared ? [every(followIntervalMs, applied.catchUp, (error) => onProblem('follow', error))] : []),
  ];

  return {
    ...statements,
    append(revocation) {
      return new Promise((resolve, reject) => {
        waiting.push({ ...readRequest(revocation), resolve, reject, context: context.active() });
        draining ??= drain();
      });
    },
    async appendIn(transaction, revocation) {
      const { promise, resolve, reject } = Promise.withResolvers<Acknowledgement>();
      const written = await write(transaction, [{ ...readRequest(revocation), resolve, reject, context: context.active() }]);
      return () => {
        conclude(written);
        return promise;
      };
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
      stopAnnouncing();
      await Promise.all([announcing, ...stops.map((stop) => stop())]);
      await draining;
      await outbox.settled();
    },
  };
}
