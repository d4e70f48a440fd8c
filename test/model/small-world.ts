import type { Checkpoint } from '@tokenmesh/revocation';
import { type FeedInput, type FeedState, freshnessAt, initialState, nextRequest, positionOf, step } from '@tokenmesh/revocation/testing';
import type { Explored } from './explore.ts';
import { type EventName, events, headOf, nameOf, nowMs, revokedBy, revokedWith, tickMs, tokenNames } from './small-log.ts';
import { keyOf, keyOfState, type Message, olderState, type Question, type SmallWorld } from './small-world-state.ts';

/** What happens in a world besides revoking, losing, delaying, repeating, reordering, reconnecting and asking. */
export interface WorldKind {
  /** How many of the first log's events are there when it begins; default 0. */
  readonly begun?: number;
  /** Appended one after the other. */
  readonly first: readonly EventName[];
  /** What the record can be replaced by, once: its new log, and what is appended to it then. */
  readonly replacement?: { readonly log: readonly EventName[]; readonly adds: readonly EventName[] };
  /** Ticks by which the wall clock can be behind after a restart. */
  readonly mostLag?: number;
  /** S in ticks; default 1. */
  readonly staleAfter?: number;
  /** Messages under way at once; default 1. */
  readonly room?: number;
  /** Neither restarts nor reconnections nor silence. */
  readonly calm?: boolean;
}

/** The verifier under test: the real one, or one that makes a mistake. */
export interface SteppedVerifier {
  readonly step: typeof step;
  /** What is left of a state when the process starts anew; the revocation set is empty then. */
  restart(state: FeedState): FeedState;
}

export const realVerifier: SteppedVerifier = { step, restart: () => initialState };

/**
 * A small world around the state machine of the verifier, every step of which can be taken: the counterpart in TypeScript of the models in this folder,
 * with the code itself for a verifier, signed events, real hashes and a real revocation set.
 */
export function createSmallWorld(kind: WorldKind, verifier: SteppedVerifier = realVerifier): Explored<SmallWorld> {
  const { staleAfter = 1, mostLag = 0, room = 1, calm = false } = kind;
  const oldest = staleAfter + 1 + mostLag;
  const limits = { staleAfterMs: staleAfter * tickMs, futureToleranceMs: 0 };
  const recovering = new Map<string, boolean>();
  const instant = ({ lag }: SmallWorld) => ({ wallMs: nowMs - lag * tickMs, monotonicMs: nowMs });

  function take(world: SmallWorld, input: FeedInput): SmallWorld {
    const { state, effects } = verifier.step(frozen(world.verifier), input, limits);
    let held = world.held;
    for (const effect of effects) {
      if (effect.type === 'apply') held = new Set([...held, nameOf(effect.signed)]);
      if (effect.type === 'load' && input.type === 'snapshot')
        held = new Set([...(effect.replace ? [] : held), ...entriesAt(world, input.head.h)]);
    }
    return { ...withRoundZero(world, state), held };
  }

  /** Rounds only ever grow: this one is 0 and all before are -1, so that the states stay few. */
  function withRoundZero(world: SmallWorld, state: FeedState): SmallWorld {
    const { question } = world;
    const isOld = question !== undefined && question.asked.round !== state.round;
    return {
      ...world,
      verifier: { ...state, round: 0 },
      question: isOld ? { ...question, asked: { ...question.asked, round: -1 } } : question,
    };
  }

  function entriesAt({ log, formerLog }: SmallWorld, h: string): readonly EventName[] {
    for (const one of [log, formerLog ?? []]) {
      const end = one.findIndex((name) => events[name].hash === h);
      if (end !== -1) return one.slice(0, end + 1);
    }
    return [];
  }

  function statement(log: readonly EventName[], ageTicks: number): Checkpoint {
    return { iss: 'i', aud: 'm', ...headOf(log), t: nowMs - ageTicks * tickMs, s: limits.staleAfterMs };
  }

  function receive(world: SmallWorld, message: Message): SmallWorld {
    if ('event' in message) return take(world, { type: 'event', signed: events[message.event] });
    return take(world, { type: 'checkpoint', checkpoint: message.checkpoint, at: instant(world) });
  }

  function older(ms: number): number {
    return Math.max(ms - tickMs, nowMs - oldest * tickMs);
  }

  function* tick(world: SmallWorld): Iterable<readonly [string, SmallWorld]> {
    const revokedFor = Object.fromEntries(Object.entries(world.revokedFor).map(([name, age]) => [name, Math.min(age + 1, oldest)]));
    const net = world.net.map((message) =>
      'event' in message ? message : { checkpoint: { ...message.checkpoint, t: older(message.checkpoint.t) } },
    );
    yield ['tick', { ...world, revokedFor, net, verifier: olderState(world.verifier, older), question: olderQuestion(world.question) }];
  }

  function olderQuestion(question: Question | undefined): Question | undefined {
    if (question === undefined) return undefined;
    const monotonicMs = older(question.monotonicMs);
    // as the feed does: what took longer than S is worth nothing
    if (nowMs - monotonicMs > limits.staleAfterMs) return undefined;
    const { answer } = question;
    return { ...question, monotonicMs, ...(answer && { answer: { ...answer, t: older(answer.t) } }) };
  }

  function* issue(world: SmallWorld): Iterable<readonly [string, SmallWorld]> {
    const { log, formerLog, net } = world;
    const { replacement } = kind;
    const next = (formerLog === undefined ? kind.first : [...(replacement?.log ?? []), ...(replacement?.adds ?? [])])[log.length];
    if (next !== undefined) {
      const token = tokenNames.find((name) => revokedBy[name] === next);
      const revoked = { ...world, log: [...log, next], ...(token && { revokedFor: { ...world.revokedFor, [token]: 0 } }) };
      yield [`revoke ${next}, unpublished`, revoked];
      if (net.length < room) yield [`revoke ${next}`, { ...revoked, net: [...net, { event: next }] }];
    }
    if (formerLog === undefined && replacement !== undefined)
      yield ['replace the record', { ...world, log: replacement.log, formerLog: log }];
    if (net.length >= room) return;
    for (const name of log) yield [`publish ${name} again`, { ...world, net: [...net, { event: name }] }];
    // the clock is read before the position, and any time may pass between
    for (let age = 0; age <= oldest; age++)
      yield [`checkpoint ${age} old`, { ...world, net: [...net, { checkpoint: statement(log, age) }] }];
  }

  function* carry(world: SmallWorld): Iterable<readonly [string, SmallWorld]> {
    for (const [index, message] of world.net.entries()) {
      const name = 'event' in message ? message.event : `checkpoint of ${message.checkpoint.n}`;
      const gone = { ...world, net: world.net.toSpliced(index, 1) };
      yield [`lose ${name}`, gone];
      yield [`receive ${name}`, receive(gone, message)];
      // an event that comes once more was published again
      if (!('event' in message)) yield [`receive ${name}, and keep it`, receive(world, message)];
    }
  }

  function* ask(world: SmallWorld): Iterable<readonly [string, SmallWorld]> {
    const { question, log, formerLog } = world;
    const request = nextRequest(world.verifier);
    if (question?.answer !== undefined) {
      const { asked, monotonicMs, answer } = question;
      yield [
        'answer',
        take({ ...world, question: undefined }, { type: 'checkpoint', checkpoint: answer, at: { ...instant(world), monotonicMs }, asked }),
      ];
    } else if (question !== undefined) yield ['make the answer', { ...world, question: { ...question, answer: statement(log, 0) } }];
    if (question !== undefined) yield ['lose the question', { ...world, question: undefined }];
    else if (request?.type === 'confirm') yield ['ask', { ...world, question: { asked: request, monotonicMs: nowMs } }];
    if (request?.type === 'snapshot') {
      // one may be of any age, also of the log that was replaced
      const logs = [...prefixes(log), ...prefixes(formerLog ?? [])].filter((one) => one.length > 0 || headOf(log).epoch === 'e1');
      for (const one of logs)
        yield [`snapshot of ${one.join() || 'nothing'}`, take(world, { type: 'snapshot', head: { ...statement(one, 0), digest: '' } })];
    }
    if (request?.type === 'fill') {
      const next = log.find((name) => events[name].event.epoch === request.epoch && events[name].event.n === request.n);
      if (next !== undefined) yield [`fill in ${next}`, take(world, { type: 'event', signed: events[next] })];
      yield ['not served', take(world, { type: 'gone' })];
    }
  }

  function* disturb(world: SmallWorld): Iterable<readonly [string, SmallWorld]> {
    if (world.lag > 0) yield ['put the clock right', { ...world, lag: 0 }];
    if (calm) return;
    if (world.verifier.tag === 'confirmed') yield ['reconnect', take(world, { type: 'connected' })];
    if (world.verifier.tag === 'confirmed') yield ['silence', take(world, { type: 'silence' })];
    if (world.restarted) return;
    for (let lag = 0; lag <= mostLag; lag++) {
      yield [
        `restart ${lag} behind`,
        { ...world, lag, restarted: true, held: new Set(), question: undefined, verifier: verifier.restart(world.verifier) },
      ];
    }
  }

  function isFresh(world: SmallWorld): boolean {
    return freshnessAt(world.verifier, instant(world), '').state === 'fresh';
  }

  return {
    initial: {
      ...{
        verifier: initialState,
        held: new Set(),
        log: kind.first.slice(0, kind.begun ?? 0),
        formerLog: undefined,
        revokedFor: {},
        net: [],
      },
      ...{ question: undefined, restarted: false, lag: 0 },
    },
    key: keyOf,
    *successors(world) {
      for (const happen of [tick, issue, carry, ask, disturb]) yield* happen(world);
    },
    problemOf: (world) => unsafety(world) ?? (recovers(world) ? undefined : 'is not fresh again although nothing fails any more'),
  };

  function unsafety(world: SmallWorld): string | undefined {
    if (!isFresh(world)) return undefined;
    const revoked = revokedWith(world.held);
    const bound = staleAfter + Math.min(world.lag, staleAfter);
    const late = tokenNames.find((name) => (world.revokedFor[name] ?? 0) > bound && !revoked.has(name));
    if (late !== undefined) return `accepts ${late}, which was revoked longer ago than ${bound}`;
    if (world.formerLog !== undefined) return undefined;
    const { n } = positionOf(world.verifier);
    const missing = world.log.find((name) => events[name].event.n <= n && !world.held.has(name));
    return missing === undefined ? undefined : `counts ${missing}, and does not hold it`;
  }

  /** Whether it does depends on the verifier and on the log to come only. */
  function recovers(world: SmallWorld): boolean {
    const key = `${world.formerLog === undefined}|${keyOfState(world.verifier)}`;
    const known = recovering.get(key) ?? isFresh(recovered(world));
    recovering.set(key, known);
    return known;
  }

  /** What follows when the clock is right, the log has grown past what was seen, the record answers at once and the bus brings checkpoints. */
  function recovered(world: SmallWorld): SmallWorld {
    const log = world.formerLog === undefined ? kind.first : [...(kind.replacement?.log ?? []), ...(kind.replacement?.adds ?? [])];
    const hear = (listener: SmallWorld) => take(listener, { type: 'checkpoint', checkpoint: statement(log, 0), at: instant(listener) });
    let now = hear({ ...world, lag: 0, log, question: undefined });
    for (let patience = 20; patience > 0 && !(isFresh(now) && positionOf(now.verifier).n === headOf(log).n); patience--) {
      const asked = nextRequest(now.verifier);
      now = asked === undefined ? hear(now) : take(now, answerTo(now, asked));
    }
    return now;
  }

  function answerTo(world: SmallWorld, asked: NonNullable<ReturnType<typeof nextRequest>>): FeedInput {
    const { log } = world;
    if (asked.type === 'confirm') return { type: 'checkpoint', checkpoint: statement(log, 0), at: instant(world), asked };
    if (asked.type === 'snapshot') return { type: 'snapshot', head: { ...statement(log, 0), digest: '' } };
    const next = log.find((name) => events[name].event.epoch === asked.epoch && events[name].event.n === asked.n);
    return next === undefined ? { type: 'gone' } : { type: 'event', signed: events[next] };
  }
}

function prefixes(log: readonly EventName[]): readonly (readonly EventName[])[] {
  return Array.from({ length: log.length + 1 }, (_, end) => log.slice(0, end));
}

/** A state machine that changed what it was given would fail here. */
function frozen(state: FeedState): FeedState {
  freeze(state);
  return state;
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const member of Object.values(value)) freeze(member);
}
