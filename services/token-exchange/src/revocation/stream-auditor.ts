import { setTimeout as delay } from 'node:timers/promises';
import { type CourierStream, claimedPosition, openEvent, type StreamMessage, type StreamState } from '@tokenmesh/revocation';
import type { KeyRing } from '../keys/keys.ts';
import type { StoredEvent } from '../record/revocation-records.ts';
import type { Store } from '../record/store.ts';
import { createKeptEvents } from './kept-events.ts';

export const findingKinds = ['recreated', 'rewound', 'missing', 'foreign', 'altered'] as const;

/**
 * What the courier's stream was found to be, compared with the record:
 * `recreated`: it is another stream under the same name; `rewound`: it has lost its newest messages, also when it has others in their place by
 * now; `missing`: events that it had taken are not in it, or cannot be read; `foreign`: it holds what the record did not publish; `altered`: it
 * holds something else in the place of an event.
 */
export interface StreamFinding {
  readonly kind: (typeof findingKinds)[number];
  /** Details as text: a `seq` is the courier's number of a message, an `n` a position of the revocation log. */
  readonly what: Readonly<Record<string, string>>;
}

export interface StreamAuditorOptions {
  /** The stream while the courier has one. */
  readonly stream: () => CourierStream | undefined;
  readonly store: Pick<Store, 'head' | 'events' | 'deliveries'>;
  /** Tell what other epochs of the same log left in the stream from what others put there. */
  readonly keys: Pick<KeyRing, 'feed'>;
  readonly issuer: string;
  /** The trust domain. */
  readonly mesh: string;
  readonly epoch: string;
  /** Told of each finding once. Must not throw. */
  readonly onFinding: (finding: StreamFinding) => void;
  /** Told when the stream or the record could not be looked at, or not refilled. Must not throw. */
  readonly onProblem: (error: unknown) => void;
  readonly now: () => number;
  /** Milliseconds between two rounds; default 10 000. */
  readonly intervalMs?: number;
}

/** Newest events that are watched, and messages at the end of a stream that are read when it is seen for the first time. */
const windowSize = 10_000;
/** Messages that one round reads, and events that it publishes again. */
const roundSize = 1000;
/** A round that did not get to the end is followed by the next after this long: a thousand requests a second are no burden to either side. */
const behindMs = 1000;
/** Messages that a round reads once more, of those that are watched: a disk may lose them without a word. */
const recheckSize = 100;
/** Requests to the courier at a time, and messages in memory. */
const concurrency = 50;
/** What the courier forgets for its age within this time is not missed: clocks differ, and a round takes its time. */
const agingMs = 60_000;
/** Numbers named in a finding. */
const maxNamed = 20;

/**
 * Compares the courier's stream with the record, at once and then every 10 s: the newest 10 000 events that the courier took, that the record still
 * serves and that are young enough for the stream have to be in it byte for byte, and nothing else. What is lost is published again, under
 * an id that all replicas agree on: any number of them may do this beside one another.
 *
 * Nobody relies on it for completeness: verifiers judge by position and hash, and ask the record for what they lack. It finds that somebody, or a
 * disk, changed the stream. It remembers nothing across restarts: what is foreign then is told again.
 *
 * @returns The way to stop; resolves when the round under way has ended.
 */
export function startStreamAuditor(options: StreamAuditorOptions): () => Promise<void> {
  const { stream, store, keys, issuer, mesh, epoch, onFinding, onProblem, now, intervalMs = 10_000 } = options;
  const closing = new AbortController();
  const { signal } = closing;
  const kept = createKeptEvents();
  /** Position from which on it is not known yet what the courier took. */
  let unsettled = 1;
  /** The stream as far as it was read. */
  let reached: { readonly created: string; readonly seq: number; readonly storedAt: string } | undefined;
  /** Whether the stream was read from its beginning on. */
  let isWhole = true;

  /** @returns Whether the next one should follow soon. */
  async function round(): Promise<boolean> {
    const courier = stream();
    if (!courier) return false;
    const head = await store.head();
    if (head.epoch !== epoch) return false; // no longer this process's log: its checkpoints fail, and say so
    await learn(head.n); // before the state of the stream: what was taken until then is in it
    const state = await courier.state();
    const from = await resume(courier, state);
    const to = Math.min(state.lastSeq, from + roundSize - 1);
    const last = await readAndJudge(
      courier,
      numbersBetween(from, to).filter((seq) => !state.deleted.has(seq)),
    );
    if (to >= from) reached = { created: state.created, seq: to, storedAt: last?.seq === to ? last.storedAt : '' };
    else reached ??= { created: state.created, seq: state.lastSeq, storedAt: '' };
    if (to < state.lastSeq) return true;
    if (!isWhole) kept.expectFromFirstFound();
    isWhole = true;
    await recheck(courier, state);
    return await refill(courier, state);
  }

  /** Learns which events the courier took. */
  async function learn(headN: number): Promise<void> {
    kept.forgetUpTo(headN - windowSize);
    let firstUnsent: number | undefined;
    for (let from = Math.max(unsettled, headN - windowSize + 1); from <= headN; ) {
      const deliveries = await store.deliveries(from, roundSize);
      for (const { n, t, sent } of deliveries) if (sent) kept.expect(n, t);
      firstUnsent ??= deliveries.find(({ sent }) => !sent)?.n;
      from = (deliveries.at(-1)?.n ?? headN) + 1;
    }
    unsettled = firstUnsent ?? headN + 1;
  }

  /** Compares the stream with what was seen of it last. Returns where to read on. */
  async function resume(courier: CourierStream, state: StreamState): Promise<number> {
    const change = reached && (await changeSince(reached, courier, state));
    if (change) {
      onFinding(change);
      kept.lostAll();
      reached = undefined;
    }
    if (reached) return Math.max(reached.seq + 1, state.firstSeq);
    const first = Math.max(state.firstSeq, 1);
    const from = Math.max(first, state.lastSeq - windowSize + 1);
    isWhole = from === first;
    return from;
  }

  /** Reads messages and compares them with the record. Returns the last one that could be read. */
  async function readAndJudge(courier: CourierStream, seqs: readonly number[]): Promise<StreamMessage | undefined> {
    const foreign: number[] = [];
    const altered: number[] = [];
    let last: StreamMessage | undefined;
    for (let start = 0; start < seqs.length; start += concurrency) {
      const messages = await readEach(courier, seqs.slice(start, start + concurrency));
      const verdicts = await judge(messages);
      for (const [seq, verdict] of verdicts) {
        if (verdict === 'foreign') foreign.push(seq);
        if (verdict === 'altered') altered.push(seq);
      }
      last = messages.at(-1) ?? last;
    }
    if (foreign.length > 0) onFinding({ kind: 'foreign', what: named('seq', foreign) });
    if (altered.length > 0) onFinding({ kind: 'altered', what: named('seq', altered) });
    return last;
  }

  async function judge(messages: readonly StreamMessage[]): Promise<ReadonlyMap<number, 'own' | 'foreign' | 'altered'>> {
    const claims = messages.map((message) => ({ ...message, claim: claimedPosition(message.compact) }));
    // read after the messages: what is published is in the record before
    const record = await eventsAt(claims.flatMap(({ claim }) => (claim?.epoch === epoch ? [claim.n] : [])));
    const { n: headN } = await store.head();
    return new Map(
      claims.map(({ seq, compact, claim }) => {
        const event = claim?.epoch === epoch ? record.get(claim.n) : undefined;
        if (event?.compact === compact) {
          kept.found(event.n, event.t, seq);
          return [seq, 'own'];
        }
        if (event) return [seq, 'altered'];
        const isPast = claim !== undefined && (claim.epoch !== epoch || claim.n <= headN);
        return [seq, isPast && isSignedHere(compact) ? 'own' : 'foreign'];
      }),
    );
  }

  /** Of an epoch before, or of a part of the log that the record no longer has. */
  function isSignedHere(compact: string): boolean {
    try {
      openEvent(compact, keys.feed.verification, { issuer, mesh });
      return true;
    } catch {
      return false;
    }
  }

  async function recheck(courier: CourierStream, { firstSeq, deleted }: StreamState): Promise<void> {
    const events = kept.nextFound(recheckSize).filter(({ seq }) => seq >= firstSeq && !deleted.has(seq));
    const record = await eventsAt(events.map(({ n }) => n));
    const altered: number[] = [];
    for (let start = 0; start < events.length; start += concurrency) {
      const some = events.slice(start, start + concurrency);
      const messages = new Map(
        (
          await readEach(
            courier,
            some.map(({ seq }) => seq),
          )
        ).map((message) => [message.seq, message]),
      );
      for (const { n, seq } of some) {
        const message = messages.get(seq);
        if (message && message.compact === record.get(n)?.compact) continue;
        kept.lost(n);
        if (message && record.has(n)) altered.push(seq);
      }
    }
    if (altered.length > 0) onFinding({ kind: 'altered', what: named('seq', altered) });
  }

  /** Publishes again what the stream should have and has not, oldest first. Returns whether some of it is left. */
  async function refill(courier: CourierStream, state: StreamState): Promise<boolean> {
    const missing = kept.missing(state, now() - state.maxAgeMs + agingMs);
    const some = missing.slice(0, roundSize);
    const news: number[] = [];
    try {
      for (let start = 0; start < some.length; start += concurrency) {
        const positions = some.slice(start, start + concurrency);
        const record = await eventsAt(positions);
        kept.forget(positions.filter((n) => !record.has(n))); // the record forgot it: nobody needs it
        news.push(...kept.report(positions));
        for (const { n, t, compact } of record.values()) kept.found(n, t, await courier.refill({ epoch, n, compact }));
      }
    } finally {
      if (news.length > 0) onFinding({ kind: 'missing', what: named('n', news) });
    }
    return missing.length > some.length;
  }

  /** Those of the record at these positions. */
  async function eventsAt(positions: readonly number[]): Promise<ReadonlyMap<number, StoredEvent>> {
    const events = new Map<number, StoredEvent>();
    for (const [first, last] of runsOf(positions)) {
      for (const event of await store.events(first, last - first + 1)) if (event.n <= last) events.set(event.n, event);
    }
    return events;
  }

  async function keepAuditing(): Promise<void> {
    while (!signal.aborted) {
      const isBehind = await round().catch(onProblem);
      await delay(isBehind ? Math.min(behindMs, intervalMs) : intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
  const auditing = keepAuditing();
  return async () => {
    closing.abort();
    await auditing;
  };
}

/** Messages that can be read, in the order of their numbers. */
async function readEach(courier: CourierStream, seqs: readonly number[]): Promise<readonly StreamMessage[]> {
  const messages = await Promise.all(seqs.map((seq) => courier.read(seq)));
  return messages.filter((message) => message !== undefined);
}

async function changeSince(
  { created, seq, storedAt }: { readonly created: string; readonly seq: number; readonly storedAt: string },
  courier: CourierStream,
  state: StreamState,
): Promise<StreamFinding | undefined> {
  if (state.created !== created) return { kind: 'recreated', what: { created: state.created, formerly_created: created } };
  const rewound: StreamFinding = { kind: 'rewound', what: { last_seq: String(state.lastSeq), formerly_last_seq: String(seq) } };
  if (state.lastSeq < seq) return rewound;
  if (storedAt === '' || seq < state.firstSeq || state.deleted.has(seq)) return undefined;
  // an older copy that has grown since then has another message there
  const message = await courier.read(seq);
  return message && message.storedAt !== storedAt ? rewound : undefined;
}

function numbersBetween(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

/** First and last of each run of numbers that follow one another. */
function runsOf(numbers: readonly number[]): readonly (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (const number of [...new Set(numbers)].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run && run[1] === number - 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

function named(what: 'n' | 'seq', numbers: readonly number[]): Readonly<Record<string, string>> {
  return { count: String(numbers.length), [what]: numbers.slice(0, maxNamed).join(', ') };
}
