import { hash } from 'node:crypto';
import { type JsonObject, TokenError } from '@tokenmesh/token';

/** What an issuer says of a token (RFC 7662). The claims are as they came: whoever uses them judges them as those of a signed token. */
export type Introspection = { readonly active: false } | { readonly active: true; readonly claims: JsonObject };

/** An answer, and when it was asked for: it holds from then on, not from its arrival. */
export interface AskedIntrospection {
  readonly introspection: Introspection;
  readonly askedAtMs: number;
}

/** Questions about tokens to one issuer, as few as will do. */
export interface Introspector {
  /**
   * One answer serves everybody who asks about the token within a second, `maxAgeMs` if that is less; while it is awaited, everybody.
   *
   * @param from Address of who presented a token that may be anything: such questions are limited, in all and for each address, so that a
   *   flood of made-up tokens neither reaches the issuer nor shuts out others. Absent: the token's signature was verified.
   * @throws {TokenError} KEYS_UNAVAILABLE when too many are waiting.
   * @throws What `introspect` rejected with; that is not remembered.
   */
  ask(compact: string, options?: { readonly from?: string; readonly maxAgeMs?: number }): Promise<AskedIntrospection>;
}

/** Protocol section 7: an answer is good for a second. */
const keepMs = 1_000;
const maxKept = 10_000;
/** With answers after 5 ms, 64 at once are 12 800 a second. */
const maxInFlight = 64;
const maxInFlightFromOne = 16;

export function createIntrospector(introspect: (compact: string) => Promise<Introspection>, now: () => number): Introspector {
  /** By SHA-256 of the token, oldest question first. */
  const asked = new Map<string, { readonly askedAtMs: number; readonly answer: Promise<AskedIntrospection>; isIn: boolean }>();
  const waiting = new Map<string, number>();
  let inFlight = 0;

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

  function forget(nowMs: number): void {
    for (const [key, { askedAtMs, isIn }] of asked) {
      if (asked.size <= maxKept && (!isIn || nowMs - askedAtMs <= keepMs)) break;
      asked.delete(key);
    }
  }

  return {
    ask(compact, { from, maxAgeMs = keepMs } = {}) {
      const askedAtMs = now();
      forget(askedAtMs);
      const key = hash('sha256', compact, 'base64');
      const known = asked.get(key);
      if (known && (!known.isIn || askedAtMs - known.askedAtMs < Math.min(maxAgeMs, keepMs))) return known.answer;
      const leave = from === undefined ? () => {} : enter(from);
      const answer = introspect(compact).then((introspection) => ({ introspection, askedAtMs }));
      const question = { askedAtMs, answer, isIn: false };
      asked.delete(key); // so that the map's order is that of the questions
      asked.set(key, question);
      answer.then(
        () => {
          question.isIn = true;
          leave();
        },
        () => {
          if (asked.get(key) === question) asked.delete(key);
          leave();
        },
      );
      return answer;
    },
  };
}
