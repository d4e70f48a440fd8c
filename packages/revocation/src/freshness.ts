import type { Checkpoint } from './checkpoint.ts';
import type { SignedEvent } from './event.ts';
import type { LogPosition } from './feed-ports.ts';
import { addHash, findHash, type RecentHashes, recentHashes } from './recent-hashes.ts';
import type { SnapshotHead } from './snapshot.ts';

/**
 * How much a verifier knows of what was revoked.
 *
 * - `empty`: nothing is confirmed since the start (or since the log began anew): no token can be judged.
 * - `fresh`: everything that was acknowledged before `freshAtMs` is applied, and that is at most S ago.
 * - `stale`: the same, longer ago; or two histories were seen and neither can be trusted.
 *
 * `freshAtMs` is the issuer's clock, milliseconds since epoch. `ageMs` is the larger of what the wall clock and the monotonic clock say,
 * at least 0; above S whenever stale. `n` is the last contiguous position applied in `epoch`. `path` names the path in use.
 */
export type Freshness =
  | { readonly state: 'empty' }
  | {
      readonly state: 'fresh' | 'stale';
      readonly freshAtMs: number;
      readonly ageMs: number;
      readonly epoch: string;
      readonly n: number;
      readonly path: string;
    };

/** One moment on both clocks, in milliseconds. The wall clock may step; the monotonic one may stand still while the machine sleeps. */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** Somebody must look at it. */
export type Alarm =
  /** Two signed histories of one epoch differ at `n`. */
  | { readonly kind: 'equivocation'; readonly epoch: string; readonly n: number }
  /**
   * The record knows less than was seen of it before: restored from a backup without a new epoch, emptied, left behind by a failover and still
   * running, or an answer played again. Nothing of it is taken over; a log that was emptied on purpose takes a restart of its verifiers.
   */
  | { readonly kind: 'rewind'; readonly epoch: string; readonly n: number }
  /** A checkpoint lies in the future by more than clocks may differ. */
  | { readonly kind: 'future'; readonly epoch: string; readonly n: number; readonly aheadMs: number };

/** What is known of the log, up to the contiguous position `n` and, with gaps, beyond. */
interface Log {
  readonly epoch: string;
  readonly n: number;
  /** … H(n): what late messages are compared with. */
  readonly recent: RecentHashes;
  /** Events beyond a gap: applied, but not counted. */
  readonly ahead: ReadonlyMap<number, { readonly hash: string; readonly prev: string }>;
  /** Epochs that this log replaced. */
  readonly former: readonly string[];
}

/** A checkpoint that was met: F and what its age is measured by. */
interface Mark {
  readonly freshAtMs: number;
  readonly heardAtMonotonicMs: number;
  readonly staleAfterMs: number;
}

/** A checkpoint whose `n` is not applied yet. */
interface Waiting {
  readonly checkpoint: Checkpoint;
  readonly at: Instant;
  readonly confirms: boolean;
}

interface Following {
  readonly log: Log;
  readonly waiting: Waiting | undefined;
  /** Counts the times a path was (re)connected: an answer counts for the round in which it was asked for. */
  readonly round: number;
  /** What the record is to be asked besides what the state itself needs. */
  readonly want: 'nothing' | 'checkpoint' | 'snapshot';
}

/**
 * - `empty`: no log is known. Left by a snapshot.
 * - `unconfirmed`: a log is known, but something may have been missed since a restart or a change of path; broadcast checkpoints do not count.
 *   An earlier mark goes on ageing. Left, for `confirmed`, when a checkpoint that the record made on request is met.
 * - `confirmed`: every checkpoint that is met moves the mark. Left for `unconfirmed` by a change of path.
 * - `forked`: two histories were seen: stale, and no checkpoint counts. Left, for `unconfirmed`, by a snapshot.
 */
export type FeedState =
  | { readonly tag: 'empty'; readonly round: number }
  | ({ readonly tag: 'unconfirmed'; readonly mark: Mark | undefined } & Following)
  | ({ readonly tag: 'confirmed'; readonly mark: Mark } & Following)
  | ({ readonly tag: 'forked'; readonly mark: Mark | undefined } & Following);

/** What happens to a feed, from outside. */
export type FeedInput =
  /** A path was connected, again or for the first time, or another path is in use. */
  | { readonly type: 'connected' }
  /** No checkpoint came for a while. */
  | { readonly type: 'silence' }
  /** The record does not serve the events that were asked for. */
  | { readonly type: 'gone' }
  | { readonly type: 'snapshot'; readonly head: SnapshotHead }
  | { readonly type: 'event'; readonly signed: SignedEvent }
  /** `asked` is present when the record made it on request, and `at.monotonicMs` is then the moment of asking. */
  | { readonly type: 'checkpoint'; readonly checkpoint: Checkpoint; readonly at: Instant; readonly asked?: ConfirmRequest };

/** What a step asks of the feed. */
export type FeedEffect =
  | { readonly type: 'apply'; readonly signed: SignedEvent }
  /** Put the snapshot's entries into force: beside what is held, or, when the log began anew, instead of it. */
  | { readonly type: 'load'; readonly replace: boolean }
  | { readonly type: 'alarm'; readonly alarm: Alarm };

interface ConfirmRequest {
  readonly type: 'confirm';
  readonly round: number;
  /** Position that the answer must at least have. */
  readonly n: number;
  readonly epoch: string;
}

/** What the record must be asked for next. */
export type FeedRequest =
  | { readonly type: 'snapshot' }
  /** Events from `n` on. */
  | ({ readonly type: 'fill' } & LogPosition)
  | ConfirmRequest;

export interface Step {
  readonly state: FeedState;
  readonly effects: readonly FeedEffect[];
}

/** How old knowledge may be. */
export interface FreshnessLimits {
  /** S of this verifier; the S of a checkpoint counts when it is smaller. */
  readonly staleAfterMs: number;
  /** How far a checkpoint may lie in the future. */
  readonly futureToleranceMs: number;
}

/** Of a feed that knows nothing. */
export const initialState: FeedState = { tag: 'empty', round: 0 };

/** Events beyond a gap that are remembered; further ones are applied, and asked for again when the gap is closed. */
const aheadLimit = 1_024;
const formerLimit = 16;

/** The next state, and what is to be done. No I/O, no clock: the same inputs give the same outputs. */
export function step(state: FeedState, input: FeedInput, limits: FreshnessLimits): Step {
  switch (input.type) {
    case 'connected':
      return only(reconnect(state));
    case 'silence':
      return only(ask(state, 'checkpoint'));
    case 'gone':
      return only(ask(state, 'snapshot'));
    case 'snapshot':
      return onSnapshot(state, input.head, limits);
    case 'event':
      return onEvent(state, input.signed, limits);
    case 'checkpoint':
      return onCheckpoint(state, input, limits);
    default: {
      const unreachable: never = input;
      return unreachable;
    }
  }
}

/** What to ask the record for now, or `undefined` when nothing is missing. */
export function nextRequest(state: FeedState): FeedRequest | undefined {
  if (state.tag === 'empty' || state.tag === 'forked' || state.want === 'snapshot') return { type: 'snapshot' };
  const { epoch, n, ahead } = state.log;
  if (ahead.size > 0 || state.waiting !== undefined) return { type: 'fill', epoch, n: n + 1 };
  if (state.tag === 'confirmed' && state.want === 'nothing') return undefined;
  return { type: 'confirm', round: state.round, epoch, n };
}

/** The last contiguous position applied; `{ epoch: '', n: 0 }` when there is none. */
export function positionOf(state: FeedState): LogPosition {
  return state.tag === 'empty' ? { epoch: '', n: 0 } : { epoch: state.log.epoch, n: state.log.n };
}

/** What the state is worth at this moment. */
export function freshnessAt(state: FeedState, at: Instant, path: string): Freshness {
  if (state.tag === 'empty' || state.mark === undefined) return { state: 'empty' };
  const { freshAtMs, heardAtMonotonicMs, staleAfterMs } = state.mark;
  const measured = Math.max(0, at.wallMs - freshAtMs, at.monotonicMs - heardAtMonotonicMs);
  const ageMs = state.tag === 'forked' ? Math.max(measured, staleAfterMs + 1) : measured;
  return { state: ageMs <= staleAfterMs ? 'fresh' : 'stale', freshAtMs, ageMs, epoch: state.log.epoch, n: state.log.n, path };
}

function only(state: FeedState): Step {
  return { state, effects: [] };
}

function reconnect(state: FeedState): FeedState {
  const round = state.round + 1;
  if (state.tag === 'empty' || state.tag === 'forked') return { ...state, round };
  return { ...state, tag: 'unconfirmed', round, waiting: undefined };
}

function ask(state: FeedState, want: 'checkpoint' | 'snapshot'): FeedState {
  if (state.tag === 'empty' || state.tag === 'forked' || state.want === 'snapshot') return state;
  return { ...state, want };
}

function fork(state: Exclude<FeedState, { tag: 'empty' }>, n: number, effects: readonly FeedEffect[] = []): Step {
  const { log, mark, round } = state;
  const alarm = { kind: 'equivocation', epoch: log.epoch, n } as const;
  return {
    state: { tag: 'forked', log, mark, round, waiting: undefined, want: 'nothing' },
    effects: [...effects, { type: 'alarm', alarm }],
  };
}

function onSnapshot(state: FeedState, head: SnapshotHead, limits: FreshnessLimits): Step {
  const { epoch, n, h } = head;
  if (state.tag === 'empty')
    return begin(state.round, { epoch, n, recent: recentHashes(h), ahead: new Map(), former: [] }, undefined, true);
  const { log, mark, round } = state;
  if (isBehind(log, head)) return rewind(state, head);
  if (epoch !== log.epoch) {
    const former = [...log.former, log.epoch].slice(-formerLimit);
    return begin(round, { epoch, n, recent: recentHashes(h), ahead: new Map(), former }, undefined, true);
  }
  // What was in force stays so, whichever of two histories it came from: a known revocation refuses always.
  if (state.tag === 'forked') return begin(round, { ...log, n, recent: recentHashes(h), ahead: new Map() }, mark, false);
  if (n <= log.n) {
    const known = hashAt(log, n);
    return known !== undefined && known !== h ? fork(state, n) : only({ ...state, want: 'nothing' });
  }
  const ahead = log.ahead.get(n);
  if (ahead !== undefined && ahead.hash !== h) return fork(state, n);
  const beyond = new Map([...log.ahead].filter(([position]) => position > n));
  const jumped = { ...state, log: { ...log, n, recent: recentHashes(h), ahead: beyond }, want: 'nothing' } as const;
  return advance(jumped, limits, [{ type: 'load', replace: false }]);
}

function begin(round: number, log: Log, mark: Mark | undefined, replace: boolean): Step {
  return {
    state: { tag: 'unconfirmed', log, mark, round, waiting: undefined, want: 'nothing' },
    effects: [{ type: 'load', replace }],
  };
}

function onEvent(state: FeedState, signed: SignedEvent, limits: FreshnessLimits): Step {
  // The record is asked for everything after the snapshot anyway.
  if (state.tag === 'empty') return only(state);
  const { epoch, n, prev } = signed.event;
  const { log } = state;
  if (epoch !== log.epoch) return only(log.former.includes(epoch) ? state : ask(state, 'checkpoint'));
  const apply: FeedEffect = { type: 'apply', signed };
  if (state.tag === 'forked') return { state, effects: [apply] };
  const known = n <= log.n ? hashAt(log, n) : log.ahead.get(n)?.hash;
  if (known !== undefined && known !== signed.hash) return fork(state, n, [apply]);
  if (known !== undefined || n <= log.n) return only(state);
  if (n > log.n + 1 && log.ahead.size >= aheadLimit) return { state, effects: [apply] };
  const ahead = new Map(log.ahead).set(n, { hash: signed.hash, prev });
  return advance({ ...state, log: { ...log, ahead } }, limits, [apply]);
}

type Trusted = Extract<FeedState, { tag: 'unconfirmed' | 'confirmed' }>;

/** Counts what has become contiguous, and then the checkpoint that waited for it. */
function advance(state: Trusted, limits: FreshnessLimits, effects: readonly FeedEffect[]): Step {
  const { log, waiting } = state;
  let { n, recent } = log;
  const ahead = new Map(log.ahead);
  for (let next = ahead.get(n + 1); next !== undefined; next = ahead.get(n + 1)) {
    if (next.prev !== findHash(recent, 0)) return fork({ ...state, log: { ...log, n, recent, ahead } }, n + 1, effects);
    ahead.delete(++n);
    recent = addHash(recent, next.hash);
  }
  const advanced = { ...state, log: { ...log, n, recent, ahead } };
  if (waiting === undefined || waiting.checkpoint.n > n) return { state: advanced, effects };
  const met = meet({ ...advanced, waiting: undefined }, waiting, limits);
  return { state: met.state, effects: [...effects, ...met.effects] };
}

/** A new epoch begins above every position of the one before: one that stands below what was seen has been left, or is of a record that lost its log. */
function isBehind({ epoch, n, former }: Log, other: LogPosition): boolean {
  return former.includes(other.epoch) || (other.epoch !== epoch && other.n < n);
}

/** A message about a position so old that it is not known any more is not compared, and does not count. */
function hashAt({ n, recent }: Log, position: number): string | undefined {
  return findHash(recent, n - position);
}

function onCheckpoint(
  state: FeedState,
  { checkpoint, at, asked }: Extract<FeedInput, { type: 'checkpoint' }>,
  limits: FreshnessLimits,
): Step {
  const { epoch, n, h, t } = checkpoint;
  const aheadMs = t - at.wallMs;
  if (aheadMs > limits.futureToleranceMs) return { state, effects: [{ type: 'alarm', alarm: { kind: 'future', epoch, n, aheadMs } }] };
  if (state.tag === 'empty' || state.tag === 'forked') return only(state);
  const { log } = state;
  const answers = asked !== undefined && asked.round === state.round;
  if (epoch !== log.epoch) {
    if (asked === undefined) return only(log.former.includes(epoch) ? state : ask(state, 'checkpoint'));
    return isBehind(log, checkpoint) ? rewind(state, checkpoint) : only(ask(state, 'snapshot'));
  }
  // An event is published only once it is durable: an answer made afterwards cannot know less.
  if (asked !== undefined && asked.epoch === epoch && n < asked.n) return rewind(state, checkpoint);
  const waiting: Waiting = { checkpoint, at, confirms: answers };
  if (n <= log.n) return meet(state, waiting, limits);
  const ahead = log.ahead.get(n);
  if (ahead !== undefined && ahead.hash !== h) return fork(state, n);
  return only({ ...state, waiting: moreUseful(state.waiting, waiting) });
}

/** Only an answer can confirm; of two answers, or of two others, the later one. */
function moreUseful(held: Waiting | undefined, next: Waiting): Waiting {
  if (held === undefined || held.confirms === next.confirms) {
    return held !== undefined && held.checkpoint.t > next.checkpoint.t ? held : next;
  }
  return held.confirms ? held : next;
}

/** A checkpoint whose position is applied. */
function meet(state: Trusted, { checkpoint, at, confirms }: Waiting, limits: FreshnessLimits): Step {
  const known = hashAt(state.log, checkpoint.n);
  if (known === undefined) return only(state);
  if (known !== checkpoint.h) return fork(state, checkpoint.n);
  if (!confirms && state.tag === 'unconfirmed') return only(state);
  const mark = laterMark(state.mark, checkpoint, at, limits);
  return only({ ...state, tag: 'confirmed', mark, want: confirms && state.want === 'checkpoint' ? 'nothing' : state.want });
}

/** F is the largest `t` that was met, unless the wall clock has been set back behind it since: then it says nothing any more. */
function laterMark(held: Mark | undefined, { t, s }: Checkpoint, at: Instant, limits: FreshnessLimits): Mark {
  if (held !== undefined && held.freshAtMs >= t && held.freshAtMs - at.wallMs <= limits.futureToleranceMs) return held;
  return { freshAtMs: t, heardAtMonotonicMs: at.monotonicMs, staleAfterMs: Math.min(s, limits.staleAfterMs) };
}

function rewind(state: FeedState, { epoch, n }: LogPosition): Step {
  return { state, effects: [{ type: 'alarm', alarm: { kind: 'rewind', epoch, n } }] };
}
