import type { Checkpoint } from '@tokenmesh/revocation';
import {
  type FeedInput,
  type FeedState,
  type FreshnessLimits,
  freshnessAt,
  initialState,
  nextRequest,
  positionOf,
  step,
} from '@tokenmesh/revocation/testing';
import type { TraceLine } from './trace.ts';

/** What the real state machine and the model disagree about, or what the real one must never do. */
export interface Difference {
  /** Index of the line in the trace. */
  readonly at: number;
  readonly model: string;
  readonly real: string;
}

export interface ReplayOptions {
  /** S of the model, in ticks. */
  readonly staleAfterTicks: number;
  /** Ages above this one are all alike in the model. */
  readonly oldestTicks: number;
  /** First position at which two histories of one epoch differ. */
  readonly forkAt?: number;
  /** Where epoch 2 begins: the position of its `all`. */
  readonly allAt?: number;
  /** Whether the model has a monotonic clock; where it has none, it stands still, and the model is fresh for longer than the code ever is. */
  readonly hasMonotonicClock: boolean;
}

/** How far a run went and what it showed. */
export interface Replay {
  readonly differences: readonly Difference[];
  /** States that were compared. */
  readonly compared: number;
  /** Of those, fresh ones. */
  readonly fresh: number;
  /** Whether the last thing that the run did, an acceptance or what must never be, is so with the real state machine too. */
  readonly endsAsModel: boolean;
}

const tickMs = 1_000;
const start = 1_800_000_000_000;
const tags = ['empty', 'unconfirmed', 'confirmed', 'forked'] as const;
const requests = ['none', 'snapshot', 'fill', 'confirm'] as const;
const targets = [{ kind: 'token', value: 'one', exp: 9_999_999_999 }] as const;

/**
 * Hands what happened in a run of the model, in its order, to the real state machine of @tokenmesh/revocation, and compares: state, epoch, contiguous
 * position, age of F, freshness and what is asked for, after every input; and that whoever is let in by the model is let in.
 *
 * The trace of a mutant is compared as well: where the mistake shows, the two differ. What counts there is `endsAsModel`.
 */
export function replay(trace: readonly TraceLine[], options: ReplayOptions): Replay {
  const verifier = new Replayed(options);
  const differences: Difference[] = [];
  let compared = 0;
  let fresh = 0;
  let endsAsModel = false;
  for (const [at, line] of trace.entries()) {
    if (line.what === 'state') {
      compared++;
      if (line.values.fresh === 1) fresh++;
    }
    const [model, real] = verifier.take(line) ?? ['', ''];
    if (model !== real) differences.push({ at, model, real });
    if (line.what === 'accept' || line.what === 'never') endsAsModel = model === real;
  }
  return { differences, compared, fresh, endsAsModel };
}

class Replayed {
  readonly #options: ReplayOptions;
  readonly #limits: FreshnessLimits;
  #state: FeedState = initialState;
  #held = new Set<string>();
  #nowMs = start;
  #monotonicMs = 0;
  #lagTicks = 0;
  /** The epoch by whose checkpoint the mark was last moved. */
  #markEpoch = '';
  #asked: { readonly request: Extract<ReturnType<typeof nextRequest>, { type: 'confirm' }>; readonly monotonicMs: number } | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#limits = { staleAfterMs: options.staleAfterTicks * tickMs, futureToleranceMs: 0 };
  }

  /** Model and real side of a line that compares something; `undefined` for all others. */
  take({ what, values, word }: TraceLine): readonly [model: string, real: string] | undefined {
    const { epoch = 1, n = 0, branch = 0, age = 0 } = values;
    switch (what) {
      case 'tick':
        this.#nowMs += tickMs;
        if (values.asleep === 1) this.#lagTicks++;
        else if (this.#options.hasMonotonicClock) this.#monotonicMs += tickMs;
        return undefined;
      case 'lag':
        this.#lagTicks = Number(word);
        return undefined;
      case 'event':
        return this.#step({ type: 'event', signed: this.#event(epoch, n, branch) });
      case 'checkpoint':
        return this.#step({ type: 'checkpoint', checkpoint: this.#checkpoint(epoch, n, branch, age), at: this.#at() });
      case 'ask':
        return this.#ask();
      case 'answer':
        return this.#answer(this.#checkpoint(epoch, n, branch, age));
      case 'snapshot':
        return this.#step({ type: 'snapshot', head: { ...this.#checkpoint(epoch, n, branch, 0), digest: '' } });
      case 'connected':
      case 'silence':
      case 'gone':
        return this.#step({ type: what });
      case 'restart':
        this.#state = initialState;
        this.#held = new Set();
        this.#asked = undefined;
        return undefined;
      case 'state':
        return [describeModel(values), this.#describe()];
      case 'accept':
        return ['accepted', this.#admits(epoch, n, branch) ? 'accepted' : 'refused'];
      case 'never':
        return [word, this.#violates(word) ? word : 'holds'];
      default:
        return undefined;
    }
  }

  #at() {
    return { wallMs: this.#nowMs - this.#lagTicks * tickMs, monotonicMs: this.#monotonicMs };
  }

  #branchAt(n: number, branch: number): number {
    return n >= (this.#options.forkAt ?? Number.POSITIVE_INFINITY) ? branch : 0;
  }

  #hash(epoch: number, n: number, branch: number): string {
    return `${epoch}:${n}:${this.#branchAt(n, branch)}`;
  }

  #event(epoch: number, n: number, branch: number) {
    const prev = this.#hash(epoch, n - 1, branch);
    const event = { iss: 'i', aud: 'm', iat: 0, jti: 'e', epoch: `e${epoch}`, n, t: start, prev, targets };
    return { event, compact: '', hash: this.#hash(epoch, n, branch) };
  }

  #checkpoint(epoch: number, n: number, branch: number, age: number): Checkpoint {
    const t = this.#nowMs - age * tickMs;
    return { iss: 'i', aud: 'm', epoch: `e${epoch}`, n, h: this.#hash(epoch, n, branch), t, s: this.#limits.staleAfterMs };
  }

  #step(input: FeedInput): undefined {
    const { state, effects } = step(this.#state, input, this.#limits);
    if (markOf(state) !== markOf(this.#state))
      this.#markEpoch = input.type === 'checkpoint' ? input.checkpoint.epoch : positionOf(state).epoch;
    this.#state = state;
    for (const effect of effects) {
      if (effect.type === 'apply') this.#held.add(effect.signed.hash);
      if (effect.type === 'load' && input.type === 'snapshot') this.#load(input.head.h, effect.replace);
    }
  }

  /** What is in force at a position is every event up to it, and of a restored record what the backup had: less is the harder case. */
  #load(head: string, replace: boolean): void {
    const [epoch = 0, n = 0, branch = 0] = head.split(':').map(Number);
    if (replace) this.#held = new Set();
    for (let k = epoch === 2 ? (this.#options.allAt ?? 1) : 1; k <= n; k++) this.#held.add(this.#hash(epoch, k, branch));
  }

  #ask(): readonly [string, string] {
    const request = nextRequest(this.#state);
    this.#asked = request?.type === 'confirm' ? { request, monotonicMs: this.#monotonicMs } : undefined;
    return ['confirm', request?.type ?? 'none'];
  }

  #answer(checkpoint: Checkpoint): undefined {
    if (this.#asked === undefined) return;
    const { request: asked, monotonicMs } = this.#asked;
    this.#asked = undefined;
    this.#step({ type: 'checkpoint', checkpoint, at: { ...this.#at(), monotonicMs }, asked });
  }

  #describe(): string {
    const { epoch, n } = positionOf(this.#state);
    const mark = markOf(this.#state);
    const age = mark === undefined ? 0 : Math.min((this.#nowMs - mark.freshAtMs) / tickMs, this.#options.oldestTicks);
    const request = nextRequest(this.#state)?.type ?? 'none';
    return describe(this.#state.tag, epoch, n, mark !== undefined, age, this.#isFresh(), request);
  }

  #isFresh(): boolean {
    return freshnessAt(this.#state, this.#at(), '').state === 'fresh';
  }

  #admits(epoch: number, n: number, branch: number): boolean {
    const { allAt } = this.#options;
    const isCovered =
      this.#held.has(this.#hash(epoch, n, branch)) || (epoch === 1 && allAt !== undefined && this.#held.has(this.#hash(2, allAt, 0)));
    return this.#isFresh() && !isCovered;
  }

  #violates(rule: string): boolean {
    switch (rule) {
      case 'wrong-clock':
        return this.#state.tag === 'confirmed' && this.#lagTicks > this.#options.staleAfterTicks;
      case 'forgotten':
        return !this.#held.has(this.#hash(1, this.#options.forkAt ?? 0, 0));
      case 'back':
        return positionOf(this.#state).epoch === 'e1';
      case 'by-another-epoch':
        return this.#isFresh() && this.#markEpoch !== positionOf(this.#state).epoch;
      default:
        throw new Error(`the model has a rule that is not known here: ${rule}`);
    }
  }
}

function markOf(state: FeedState) {
  return state.tag === 'empty' ? undefined : state.mark;
}

function describeModel({ tag = 0, epoch = 0, n = 0, marked, age = 0, fresh, request = 0 }: TraceLine['values']): string {
  return describe(
    tags[tag] ?? '',
    epoch === 0 ? '' : `e${epoch}`,
    n,
    marked === 1,
    marked === 1 ? age : 0,
    fresh === 1,
    requests[request] ?? '',
  );
}

function describe(tag: string, epoch: string, n: number, marked: boolean, age: number, fresh: boolean, request: string): string {
  return `${tag} ${epoch}:${n} ${marked ? `F is ${age} old` : 'no F'} ${fresh ? 'fresh' : 'not fresh'}, asks for ${request}`;
}
