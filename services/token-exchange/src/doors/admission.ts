import { TokenError } from '@tokenmesh/token';
import { provedClientOf } from '../clients/client-authentication.ts';
import type { EventLog } from '../event-log.ts';
import { createWaitingLine, type Waiting } from './waiting-line.ts';

/** How much of token-exchange its clients may use. */
export interface AdmissionLimits {
  /** Requests per second of one workload, in the long run. */
  readonly perWorkload: number;
  /** Requests that one workload may make at once after it was quiet. */
  readonly burst: number;
  /** Requests that are worked on at the same time. */
  readonly concurrency: number;
  /** Requests that wait for their turn. */
  readonly queue: number;
}

/**
 * Why a request is made: to take something back, to keep something running (introspection by a verifier that is stale, a refresh), or to begin something.
 * What is earlier in this list goes first.
 */
export type AdmissionRank = 'revoke' | 'renew' | 'issue';

const ranks: readonly AdmissionRank[] = ['revoke', 'renew', 'issue'];
const lowestRank = ranks.length - 1;

export interface Admission {
  /**
   * Runs `work` when it is its turn.
   *
   * A workload that asks more often than it may is refused before it costs anything; it delays nobody else. When everything is in use,
   * requests wait in a short queue: by rank, then the workload that has least under way, then in order. A full queue gives up the lowest and latest for
   * one that outranks it, and one of the workload that has most in it for one that has less.
   *
   * @param claimed Client id that the request claims, not proven yet: when it is refused before that is proved, the workload of that name gets its allowance
   *   back. Clients that are not registered share one allowance.
   * @throws {TokenError} EXCHANGE_OVERLOADED with `retryAfterMs` of when to ask again; and what `work` throws.
   */
  run<T>(claimed: string, rank: AdmissionRank, work: () => Promise<T>): Promise<T>;
}

export interface AdmissionOptions {
  /** Asked for each request: they may change. What is under way and what waits stays. */
  readonly limits: () => AdmissionLimits;
  readonly isRegistered: (clientId: string) => boolean;
  readonly log: EventLog;
  /** Milliseconds, of a clock that does not step back. */
  readonly now: () => number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

interface WaitingRequest extends Waiting {
  readonly start: () => void;
  readonly refuse: (error: TokenError) => void;
}

/** For tests and benchmarks of one operation. */
export const unlimited: AdmissionLimits = {
  perWorkload: Number.MAX_SAFE_INTEGER,
  burst: Number.MAX_SAFE_INTEGER,
  concurrency: Number.MAX_SAFE_INTEGER,
  queue: 0,
};

/** All clients that nobody registered. */
const strangers = '';
/** What arithmetic leaves of a millisecond is not another one. */
const rounding = 1e-6;
/** Refusals are said at most this often, in milliseconds. */
const reportMs = 1000;
/** What one request takes is not known before the first has ended (milliseconds): about what a commit takes. */
const firstGuessMs = 5;
/** Weight of the latest request in the mean of what one takes. */
const smoothing = 0.1;
/** Nobody is sent away for longer, in milliseconds: a queue of requests does not say more about the future. */
const maxRetryMs = 30_000;
/** Buckets in memory before the full ones are dropped, which says nothing less: those of workloads that have left the policy go so. */
const sweepAbove = 1000;

/** Admission control in front of everything that costs a signature check or a commit. */
export function createAdmission({ limits, isRegistered, log, now }: AdmissionOptions): Admission {
  let running = 0;
  let meanMs = firstGuessMs;
  const buckets = new Map<string, Bucket>();
  const waiting = createWaitingLine<WaitingRequest>(ranks.length);
  const runningOf = new Map<string, number>();
  const refusals = new Map<string, number>();
  let reportedAtMs = Number.NEGATIVE_INFINITY;

  function refuse(clientId: string, message: string, retryAfterMs: number): TokenError {
    refusals.set(clientId, (refusals.get(clientId) ?? 0) + 1);
    report();
    const bounded = Math.min(Math.max(Math.ceil(retryAfterMs - rounding), 1), maxRetryMs);
    return new TokenError('EXCHANGE_OVERLOADED', message, { retryAfterMs: bounded });
  }

  // refusals in between are counted in the next line: a flood does not become a flood of the log
  function report(): void {
    const nowMs = now();
    if (nowMs - reportedAtMs < reportMs) return;
    reportedAtMs = nowMs;
    const refused = Object.fromEntries([...refusals].map(([clientId, count]) => [clientId || 'unregistered', count]));
    refusals.clear();
    log.warn({ event: 'exchange.overloaded', refused, running, waiting: waiting.length });
  }

  /** Takes one request from a workload's allowance, or tells in how many milliseconds there is one. */
  function take(clientId: string): number {
    const nowMs = now();
    let bucket = buckets.get(clientId);
    if (!bucket) {
      if (buckets.size >= sweepAbove) sweep(nowMs);
      bucket = { tokens: limits().burst, filledAtMs: nowMs };
      buckets.set(clientId, bucket);
    }
    bucket.tokens = filled(bucket, nowMs);
    bucket.filledAtMs = nowMs;
    if (bucket.tokens < 1) return ((1 - bucket.tokens) / limits().perWorkload) * 1000;
    bucket.tokens -= 1;
    return 0;
  }

  // whoever names a workload without being it must not use up its allowance; the concurrency bounds what that can cost
  function giveBack(clientId: string): void {
    const bucket = clientId === strangers ? undefined : buckets.get(clientId);
    if (bucket) bucket.tokens = Math.min(limits().burst, bucket.tokens + 1);
    take(forgedName(clientId));
  }

  /** Whether a name is used by others so often that nothing that it claims goes first any more. */
  function isOftenForged(clientId: string): boolean {
    const bucket = buckets.get(forgedName(clientId));
    return bucket !== undefined && filled(bucket, now()) < 1;
  }

  function filled({ tokens, filledAtMs }: Bucket, nowMs: number): number {
    return Math.min(limits().burst, tokens + ((nowMs - filledAtMs) / 1000) * limits().perWorkload);
  }

  function sweep(nowMs: number): void {
    for (const [clientId, bucket] of buckets) if (filled(bucket, nowMs) >= limits().burst) buckets.delete(clientId);
  }

  /** Milliseconds until as many requests as wait have been worked on. */
  function delayOfQueue(): number {
    return ((waiting.length + 1) * meanMs) / limits().concurrency;
  }

  function enter(clientId: string, rank: number): Promise<void> | undefined {
    if (running < limits().concurrency) {
      begin(clientId);
      return undefined;
    }
    if (waiting.length >= limits().queue) {
      const expendable = waiting.takeExpendable({ clientId, rank });
      if (!expendable) throw refuse(clientId, 'the queue is full', delayOfQueue());
      expendable.refuse(refuse(expendable.clientId, 'the queue is full of requests that go first', delayOfQueue()));
    }
    return new Promise((resolve, reject) => waiting.add({ clientId, rank, start: resolve, refuse: reject }));
  }

  function begin(clientId: string): void {
    running++;
    count(runningOf, clientId, 1);
  }

  function leave(clientId: string, startedAtMs: number): void {
    meanMs += (Math.max(now() - startedAtMs, 0) - meanMs) * smoothing;
    running--;
    count(runningOf, clientId, -1);
    while (running < limits().concurrency) {
      const next = waiting.takeNext((client) => runningOf.get(client) ?? 0);
      if (!next) return;
      begin(next.clientId);
      next.start();
    }
  }

  return {
    async run(claimed, rank, work) {
      const clientId = isRegistered(claimed) ? claimed : strangers;
      const waitMs = take(clientId);
      if (waitMs > 0) throw refuse(clientId, `${clientId || 'unregistered clients'} asked too often`, waitMs);
      const turn = enter(clientId, isOftenForged(clientId) ? lowestRank : ranks.indexOf(rank));
      if (turn) await turn;
      const startedAtMs = now();
      try {
        return await work();
      } catch (error) {
        if (error instanceof TokenError && provedClientOf(error) === undefined) giveBack(clientId);
        throw error;
      } finally {
        leave(clientId, startedAtMs);
      }
    },
  };
}

/** The bucket of proofs that failed under a name; no identity holds a space. */
function forgedName(clientId: string): string {
  return `forged ${clientId}`;
}

/** Adds to a counter; what is at zero is forgotten. */
function count(counters: Map<string, number>, name: string, change: number): void {
  const counted = (counters.get(name) ?? 0) + change;
  if (counted === 0) counters.delete(name);
  else counters.set(name, counted);
}
