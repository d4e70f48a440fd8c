import { type FeedInput, type FeedState, positionOf, step } from '@tokenmesh/revocation/testing';
import { type EventName, eventNames, events, headOf } from './small-log.ts';
import { realVerifier, type SteppedVerifier } from './small-world.ts';

type Limits = Parameters<typeof step>[2];

/** The real state machine with one mistake made around it: mistakes of verifier.pml, by its names. */
export const wrongVerifiers = {
  RECEIPT: wrong((state, input, limits) =>
    step(state, input.type === 'checkpoint' ? { ...input, checkpoint: { ...input.checkpoint, t: input.at.wallMs } } : input, limits),
  ),
  NO_COUNT: wrong((state, input, limits) => {
    if (input.type !== 'checkpoint' || input.checkpoint.n < positionOf(state).n) return step(state, input, limits);
    return step(state, { ...input, checkpoint: { ...input.checkpoint, ...applied(state) } }, limits);
  }),
  ANY_MESSAGE: wrong((state, input, limits) => {
    const after = step(state, input, limits);
    if (input.type !== 'event' || after.state.tag === 'empty') return after;
    const at = { wallMs: input.signed.event.t, monotonicMs: input.signed.event.t };
    const { iss, aud } = input.signed.event;
    const checkpoint = { iss, aud, ...applied(after.state), t: at.wallMs, s: limits.staleAfterMs };
    const alive = { type: 'checkpoint', checkpoint, at, asked: askedBy(after.state) } as const;
    return { state: step(after.state, alive, limits).state, effects: after.effects };
  }),
  RESTART_FRESH: { step, restart: (state: FeedState) => state },
  GAP_COUNTED: wrong((state, input, limits) => {
    if (input.type !== 'event' || state.tag === 'empty' || input.signed.event.n <= positionOf(state).n + 1)
      return step(state, input, limits);
    const { event, hash } = input.signed;
    const head = { iss: event.iss, aud: event.aud, epoch: event.epoch, n: event.n, h: hash, t: event.t, s: 0, digest: '' };
    return { state: step(state, { type: 'snapshot', head }, limits).state, effects: [{ type: 'apply', signed: input.signed }] };
  }),
  OLD_REPLACES: wrong((state, input, limits) => {
    const { epoch, n } = positionOf(state);
    const after = step(state, input, limits);
    const isOld = input.type === 'snapshot' && input.head.epoch === epoch && input.head.n <= n;
    return isOld ? { ...after, effects: [{ type: 'load', replace: true }] } : after;
  }),
  NO_NONCE: wrong((state, input, limits) =>
    step(state, input.type === 'checkpoint' && !input.asked ? { ...input, asked: askedBy(state) } : input, limits),
  ),
  FUTURE_COUNTS: wrong((state, input, limits) => step(state, input, { ...limits, futureToleranceMs: Number.MAX_SAFE_INTEGER })),
  BROADCAST_EPOCH: wrong((state, input, limits) => {
    const { epoch, n } = positionOf(state);
    if (input.type !== 'checkpoint' || input.asked || state.tag === 'empty') return step(state, input, limits);
    const { checkpoint } = input;
    if (checkpoint.epoch === epoch || checkpoint.n < n) return step(state, input, limits);
    return { state: step(state, { type: 'snapshot', head: { ...checkpoint, digest: '' } }, limits).state, effects: [] };
  }),
  MET_BY_POSITION: wrong((state, input, limits) => {
    const after = step(state, input, limits);
    if (input.type !== 'checkpoint' || after.state.tag !== 'forked' || state.tag === 'forked') return after;
    const others = eventNames.filter((name) => events[name].event.n === input.checkpoint.n).map((name) => events[name].hash);
    const h = others.find((hash) => hash !== input.checkpoint.h) ?? '';
    return step(state, { ...input, checkpoint: { ...input.checkpoint, h } }, limits);
  }),
} as const satisfies Record<string, SteppedVerifier>;

function wrong(mistaken: (state: FeedState, input: FeedInput, limits: Limits) => ReturnType<typeof step>): SteppedVerifier {
  return { step: mistaken, restart: realVerifier.restart };
}

/** A question that was never asked. */
function askedBy(state: FeedState) {
  return { type: 'confirm', round: state.round, ...positionOf(state), n: 0 } as const;
}

/** Where the verifier stands, as the log's first history has it. */
function applied(state: FeedState): ReturnType<typeof headOf> {
  const { epoch, n } = positionOf(state);
  const log: readonly EventName[] = epoch === 'e2' ? ['all', 'c'] : ['a1', 'a2'];
  return headOf(log.filter((name) => events[name].event.n <= n));
}
