import { hash } from 'node:crypto';
import { type JsonObject, TokenError } from '@tokenmesh/token';

/** What an issuer says of a token (RFC 7662). The claims are as they came: whoever uses them judges them as those of a signed token. */
export type Introspection = { readonly active: false } | { readonly active: true; readonly claims: JsonObject };

/** An answer, and when it was asked for: it was true at some moment since then, not at its arrival. */
export interface AskedIntrospection {
  readonly introspection: Introspection;
  /** Milliseconds since epoch. */
  readonly askedAtMs: number;
  /** How long ago that is now, by the clock that says more: the wall clock may step, the other may stand still while the machine sleeps. */
  ageMs(): number;
}

/** Questions about tokens to one issuer, as few as will do. */
export interface Introspector {
  /**
   * One answer serves everybody who asks about the token within a second, `maxAgeMs` if that is less; while it is awaited, everybody. For 100 ms after a
   * question about a verified token failed others about such tokens fail alike: an issuer that cannot be reached, or is overloaded, is not asked for every call.
   *
   * @param from Address of who presented a token that may be anything: such questions are limited, in all and for each address, so that a
   *   flood of made-up tokens neither reaches the issuer nor shuts out others. Absent: the token's signature was verified.
   * @throws {TokenError} KEYS_UNAVAILABLE when too many are waiting.
   * @throws What `introspect` rejected with.
   */
  ask(compact: string, options?: { readonly from?: string; readonly maxAgeMs?: number }): Promise<AskedIntrospection>;
}

/** Protocol section 7: an answer is good for a second. */
const keepMs = 1_000;
const restAfterFailureMs = 100;
const maxKept = 10_000;
/** With answers after 5 ms, 64 at once are 12 800 a second. */
const maxInFlight = 64;
const maxInFlightFromOne = 16;

/** A question that was put, and its answer. */
interface Question {
  readonly answer: Promise<AskedIntrospection>;
  ageMs(): number;
  isIn: boolean;
}

/**
 * @param introspect Settles within a time of its own.
 * @param now Wall clock, milliseconds since epoch.
 * @param monotonicNow A clock that never steps, in milliseconds.
 */
export function createIntrospector(
  introspect: (compact: string) => Promise<Introspection>,
  now: () => number,
  monotonicNow: () => number,
): Introspector {
  /** By SHA-256 of the token, oldest question first. */
  const asked = new Map<string, Question>();
  const waiting = new Map<string, number>();
  let inFlight = 0;
  let lastFailure: { readonly error: unknown; ageMs(): number } | undefined;

  /** Counts from now on, by the clock that says more. */
  function startAge(): () => number {
    const [wallMs, monotonicMs] = [now(), monotonicNow()];
    return () => Math.max(now() - wallMs, monotonicNow() - monotonicMs);
  }

  function enter(from: string): () => void {
    const fromOne = waiting.get(from) ?? 0;
    if (inFlight >= maxInFlight || fromOne >= maxInFlightFromOne) {
      throw new TokenError('KEYS_UNAVAILABLE', 'too many tokens wait for introspection');
    }
    inFlight++;
    waiting.set(from, fromOne + 1);
    return () => {
      inFlight--;
      const left = (waiting.get(from) ?? 0) - 1;
      if (left > 0) waiting.set(from, left);
      else waiting.delete(from);
    };
  }

  function forget(): void {
    for (const [key, { ageMs, isIn }] of asked) {
      if (asked.size <= maxKept && (!isIn || ageMs() <= keepMs)) break;
      asked.delete(key);
    }
  }

  return {
    ask(compact, { from, maxAgeMs = keepMs } = {}) {
      forget();
      const key = hash('sha256', compact, 'base64');
      const known = asked.get(key);
      if (known && (!known.isIn || known.ageMs() < Math.min(maxAgeMs, keepMs))) return known.answer;
      if (from === undefined && lastFailure && lastFailure.ageMs() < restAfterFailureMs) return Promise.reject(lastFailure.error);
      const leave = from === undefined ? () => {} : enter(from);
      const [askedAtMs, ageMs] = [now(), startAge()];
      const answer = introspect(compact).then((introspection) => ({ introspection, askedAtMs, ageMs }));
      const question: Question = { answer, ageMs, isIn: false };
      asked.delete(key); // so that the map's order is that of the questions
      asked.set(key, question);
      answer.then(
        () => {
          question.isIn = true;
          leave();
        },
        (error: unknown) => {
          if (asked.get(key) === question) asked.delete(key);
          // made-up tokens must not shut out those that were verified
          if (from === undefined) lastFailure = { error, ageMs: startAge() };
          leave();
        },
      );
      return answer;
    },
  };
}
