import type { Checkpoint } from '@tokenmesh/revocation';
import type { FeedState, nextRequest } from '@tokenmesh/revocation/testing';
import { type EventName, eventNames, type TokenName } from './small-log.ts';

/** On its way over the bus. */
export type Message = { readonly event: EventName } | { readonly checkpoint: Checkpoint };
type Confirm = Extract<ReturnType<typeof nextRequest>, { type: 'confirm' }>;

/** To the record; an `answer` is on its way back. */
export interface Question {
  readonly asked: Confirm;
  readonly monotonicMs: number;
  readonly answer?: Checkpoint;
}

/** Everything that is so at one moment of a small world. */
export interface SmallWorld {
  readonly verifier: FeedState;
  readonly held: ReadonlySet<EventName>;
  readonly log: readonly EventName[];
  /** The log that was replaced. */
  readonly formerLog: readonly EventName[] | undefined;
  /** Ticks since the acknowledgement. */
  readonly revokedFor: Partial<Readonly<Record<TokenName, number>>>;
  readonly net: readonly Message[];
  readonly question: Question | undefined;
  readonly restarted: boolean;
  readonly lag: number;
}

/** The same state a tick later: every time in it is a tick further away. */
export function olderState(state: FeedState, older: (ms: number) => number): FeedState {
  if (state.tag === 'empty') return state;
  const { mark, waiting } = state;
  const olderMark = mark && { ...mark, freshAtMs: older(mark.freshAtMs), heardAtMonotonicMs: older(mark.heardAtMonotonicMs) };
  const olderWaiting = waiting && {
    ...waiting,
    checkpoint: { ...waiting.checkpoint, t: older(waiting.checkpoint.t) },
    at: { wallMs: older(waiting.at.wallMs), monotonicMs: older(waiting.at.monotonicMs) },
  };
  return { ...state, mark: olderMark, waiting: olderWaiting } as FeedState; // its tag is as before, and so is whether there is a mark
}

/** The same text for worlds that are the same. */
export function keyOf({ verifier, held, net, log, formerLog = [], revokedFor: { x, y, z }, question, restarted, lag }: SmallWorld): string {
  const messages = net.map((message) => ('event' in message ? message.event : keyOfCheckpoint(message.checkpoint))).sort();
  const asked = question && [
    question.asked.n,
    question.asked.epoch,
    question.asked.round,
    question.monotonicMs,
    keyOfCheckpoint(question.answer),
  ];
  return [keyOfState(verifier), eventNames.filter((name) => held.has(name)), messages, log, formerLog, x, y, z, asked, restarted, lag].join(
    '|',
  );
}

export function keyOfState(state: FeedState): string {
  if (state.tag === 'empty') return '';
  const { tag, log, mark, waiting, want } = state;
  const ahead = [...log.ahead.keys()].map((n) => [n, log.ahead.get(n)?.hash]).sort();
  const marked = mark && [mark.freshAtMs, mark.heardAtMonotonicMs];
  const waits = waiting && [keyOfCheckpoint(waiting.checkpoint), waiting.at.wallMs, waiting.at.monotonicMs, waiting.confirms];
  return [tag, log.epoch, log.n, log.recent.full, log.recent.last, log.former, ahead, marked, waits, want].join(';');
}

function keyOfCheckpoint(checkpoint: Checkpoint | undefined): string {
  return checkpoint === undefined ? '' : `${checkpoint.epoch}:${checkpoint.h}:${checkpoint.t}`;
}
