import type { Mutation } from './mutation.ts';

const freshness = 'packages/revocation/src/freshness.ts';
const feed = 'packages/revocation/src/feed.ts';
const freshnessTest = 'packages/revocation/src/freshness.test.ts';
const feedTest = 'packages/revocation/src/feed.test.ts';

/** Mistakes of test/model/verifier.pml made in the code: what the model finds, a test must find as well. */
export const freshnessMutations: readonly Mutation[] = [
  {
    of: ['model RECEIPT'],
    file: freshness,
    find: 'return { freshAtMs: t, heardAt',
    put: 'return { freshAtMs: at.wallMs, heardAt',
    fails: { file: freshnessTest, title: 'an old checkpoint that is delivered late does not raise F, nor lower it' },
  },
  {
    of: ['model NO_COUNT'],
    file: freshness,
    find: '  if (n <= log.n) return meet(state, waiting, limits);\n',
    put: '  return meet(state, n <= log.n ? waiting : { ...waiting, checkpoint: { ...checkpoint, n: log.n, h: hashAt(log, log.n) } }, limits);\n',
    fails: { file: freshnessTest, title: 'a lost event shows at the next checkpoint, which counts once the gap is filled' },
  },
  {
    of: ['model ANY_MESSAGE'],
    file: freshness,
    find: 'return advance({ ...state, log: { ...log, ahead } }, limits, [apply]);',
    put: 'return advance({ ...state, mark: state.mark && { ...state.mark, freshAtMs: state.mark.freshAtMs + 1 }, log: { ...log, ahead } }, limits, [apply]);',
    fails: { file: freshnessTest, title: 'a lost event shows at the next checkpoint, which counts once the gap is filled' },
  },
  {
    of: ['model RESTART_FRESH'],
    file: feed,
    find: 'if (checkpoint.nonce !== nonce) throw',
    put: 'if (checkpoint.nonce === undefined) throw',
    fails: { file: feedTest, title: 'a restart is never fresh without an answer that carries its nonce' },
  },
  {
    of: ['model GAP_COUNTED'],
    file: freshness,
    find: 'return advance({ ...state, log: { ...log, ahead } }, limits, [apply]);',
    put: 'return advance({ ...state, log: { ...log, n: n - 1, ahead } }, limits, [apply]);',
    fails: { file: freshnessTest, title: 'an event beyond a gap is applied at once but not counted, and the gap is asked for' },
  },
  {
    of: ['model OLD_REPLACES'],
    file: freshness,
    find: ": only({ ...state, want: 'nothing' });",
    put: ": { state: { ...state, want: 'nothing' }, effects: [{ type: 'load', replace: true }] };",
    fails: { file: freshnessTest, title: 'a replayed old snapshot takes nothing away' },
  },
  {
    of: ['model NO_NONCE'],
    file: freshness,
    find: "  if (!confirms && state.tag === 'unconfirmed') return only(state);\n",
    put: '',
    fails: { file: freshnessTest, title: 'after a reconnection broadcast checkpoints do not count until the record has answered' },
  },
  {
    of: ['model OLD_ROUND'],
    file: freshness,
    find: 'asked !== undefined && asked.round === state.round',
    put: 'asked !== undefined',
    fails: { file: freshnessTest, title: 'an answer to a question from before a reconnection does not confirm it' },
  },
  {
    of: ['model WAITING_KEPT'],
    file: freshness,
    find: "return { ...state, tag: 'unconfirmed', round, waiting: undefined };",
    put: "return { ...state, tag: 'unconfirmed', round };",
    fails: { file: freshnessTest, title: 'an answer that waits for a gap when the path changes does not confirm what comes after' },
  },
  {
    of: ['model HEARD_AT_RECEIPT'],
    file: feed,
    find: 'at: { wallMs: this.#now(), monotonicMs }, asked',
    put: 'at: { wallMs: this.#now(), monotonicMs: this.#monotonicNow() }, asked',
    fails: { file: feedTest, title: 'an answer ages from the question on, and one that took longer than S confirms nothing' },
  },
  {
    of: ['model HEARD_AT_RECEIPT'],
    file: feed,
    find: 'if (tookMs > this.#limits.staleAfterMs) throw',
    put: 'if (tookMs < 0) throw',
    fails: { file: feedTest, title: 'an answer ages from the question on, and one that took longer than S confirms nothing' },
  },
  {
    of: ['model FUTURE_COUNTS'],
    file: freshness,
    find: 'if (aheadMs > limits.futureToleranceMs) return',
    put: 'if (aheadMs > Number.MAX_SAFE_INTEGER) return',
    fails: { file: freshnessTest, title: 'T-53 an answer from the future does not confirm' },
  },
  {
    of: ['model WALL_ONLY'],
    file: freshness,
    find: 'Math.max(0, at.wallMs - freshAtMs, at.monotonicMs - heardAtMonotonicMs)',
    put: 'Math.max(0, at.wallMs - freshAtMs)',
    fails: { file: freshnessTest, title: 'is fresh at S by either clock, and stale one millisecond later' },
  },
  {
    of: ['model GOES_BACK'],
    file: freshness,
    find: ' || (other.epoch !== epoch && other.n < n)',
    put: '',
    fails: { file: freshnessTest, title: 'another epoch that stands below what was seen is an alarm, and what is in force stays' },
  },
  {
    of: ['model F_SURVIVES'],
    file: freshness,
    find: 'ahead: new Map(), former }, undefined, true)',
    put: 'ahead: new Map(), former }, mark, true)',
    fails: { file: freshnessTest, title: 'a new epoch is only believed of the record, replaces everything and must be confirmed' },
  },
  {
    of: ['model BROADCAST_EPOCH'],
    file: freshness,
    find: "if (asked === undefined) return only(log.former.includes(epoch) ? state : ask(state, 'checkpoint'));",
    put: "if (asked === undefined) return onSnapshot(state, { ...checkpoint, digest: '' }, limits);",
    fails: { file: freshnessTest, title: 'a new epoch is only believed of the record, replaces everything and must be confirmed' },
  },
  {
    of: ['model OTHER_EPOCH'],
    file: freshness,
    find: '  if (epoch !== log.epoch) {\n    if (asked === undefined) return',
    put: '  if (epoch !== log.epoch && n > log.n) {\n    if (asked === undefined) return',
    fails: { file: freshnessTest, title: 'a former epoch is ignored, and a record that goes back to it is an alarm' },
  },
  {
    of: ['model NO_HASH'],
    file: freshness,
    find: '  if (known !== undefined && known !== signed.hash) return fork(state, n, [apply]);\n',
    put: '',
    fails: {
      file: freshnessTest,
      title: 'the same position with another hash is an alarm and stale, and only a snapshot and a new answer end it',
    },
  },
  {
    of: ['model NO_PREV'],
    file: freshness,
    find: 'next.prev !== findHash(recent, 0)',
    put: "next.prev === ''",
    fails: { file: freshnessTest, title: '%s that disagrees is equivocation', case: 'an event that does not follow the last one' },
  },
  {
    of: ['model MET_BY_POSITION'],
    file: freshness,
    find: '  if (known !== checkpoint.h) return fork(state, checkpoint.n);\n',
    put: '',
    fails: { file: freshnessTest, title: '%s that disagrees is equivocation', case: 'a checkpoint for what is applied' },
  },
  {
    of: ['model FORK_REPLACES'],
    file: freshness,
    find: 'ahead: new Map() }, mark, false)',
    put: 'ahead: new Map() }, mark, true)',
    fails: { file: freshnessTest, title: 'what either of two histories revoked is in force' },
  },
];
