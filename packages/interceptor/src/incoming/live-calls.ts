import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { Match, TargetKind } from '@tokenmesh/revocation';
import { TokenError, type VerifiedToken } from '@tokenmesh/token';
import type { Rule } from './rules.ts';
import type { Staleness } from './staleness.ts';
import type { CallVerifier } from './verify-call.ts';

/** A stream that was admitted and has not ended. */
export interface LiveCall {
  readonly token: VerifiedToken;
  readonly rule: Rule;
  /** Ends the call with the refusal; the handler sees `cancelled`. */
  end(error: TokenError): void;
  /** Called once, when a quarter of what the token had left is over: from then on the caller must be able to renew. */
  announce?(): void;
}

/** A stream under watch. */
export interface WatchedCall {
  /** The token that the stream lives by now. */
  readonly token: VerifiedToken;
  readonly rule: Rule;
  /**
   * Lets the stream live by another token of the same caller, from now on: its `exp` counts, and a revocation of it ends the stream, one of the old
   * token's `jti` no longer does. What the stream was opened under stays its own: a revocation of that chain or session still ends it. Between two
   * tokens that end at the same time nothing changes, and an earlier end is no renewal either.
   *
   * Does NOT look at whose token it is, nor at what it opens.
   *
   * @returns When the stream ends now: seconds since epoch.
   * @throws {TokenError} TOKEN_REVOKED, TOKEN_EXPIRED: the stream goes on by the token that it had.
   */
  renew(token: VerifiedToken): number;
  /** Ends the watch, not the stream. */
  release(): void;
}

/**
 * The live streams of a server, ended when their token expires, when a revocation covers it, or when revocations have not been heard of for
 * longer than their method allows.
 *
 * Unary calls are not in here: once admitted they are left to finish, their deadline bounds them.
 */
export interface LiveCalls {
  /** Watches a stream until it is released. */
  add(call: LiveCall): WatchedCall;
  readonly size: number;
  /** Stops watching; the streams themselves go on. */
  close(): void;
}

/** How often staleness is looked at: added to the bound after which a stream ends that can no longer be checked. */
const sweepMs = 100;
/** A pass over many streams lets other work of the process go on this often. */
const sliceMs = 5;
/** So many streams that go on are looked at before the clock is. */
const looksPerClock = 64;
/** Longest rest between two passes, however many revocations come in: part of the 100 ms within which a stream ends. */
const maxRestMs = 50;
/** `setTimeout` takes no more, and would fire at once. */
const maxTimeoutMs = 2 ** 31 - 1;

export function createLiveCalls(options: {
  readonly verifier: Pick<CallVerifier, 'staleness' | 'findRevocation' | 'onRevocation'>;
  readonly clockToleranceSeconds: number;
  readonly now: () => number;
}): LiveCalls {
  const { verifier, clockToleranceSeconds, now } = options;
  const live = new Set<Watched>();
  /** Those of them whose time is over, and which end in their turn. */
  const over = new Set<Watched>();
  /** As many as methods, times issuers. */
  const groups = new Map<string, Group>();
  /** How often revocations came in. */
  let revocations = 0;
  let lastRefusal: { readonly kind: TargetKind; readonly n: number; readonly error: TokenError } | undefined;
  let closed = false;

  // one for all streams that end alike: an error of its own for each would take a third of the whole time
  const expired = new TokenError('TOKEN_EXPIRED', 'the token expired during the call');
  const tooStale = new TokenError('REVOCATION_STALE', 'the revocation feed has not been heard for too long');
  function revokedBy({ kind, n }: Pick<Match, 'kind' | 'n'>): TokenError {
    if (lastRefusal?.kind !== kind || lastRefusal.n !== n) {
      lastRefusal = { kind, n, error: new TokenError('TOKEN_REVOKED', `revoked by ${kind} at position ${n}`) };
    }
    return lastRefusal.error;
  }

  function groupOf(rule: Rule, token: VerifiedToken): Group {
    const key = `${rule.method} ${token.claims.iss}`;
    const group = groups.get(key) ?? { rule, token, mayGoOn: true };
    groups.set(key, group);
    return group;
  }

  class Watched implements WatchedCall {
    readonly #call: LiveCall;
    readonly #group: Group;
    token: VerifiedToken;
    /** The handles of the opening token, at the position and time of the present one; `undefined` while that is the same token. */
    #opening: VerifiedToken | undefined;
    #endsAtMs = 0;
    #timer: NodeJS.Timeout | undefined;

    constructor(call: LiveCall) {
      this.#call = call;
      this.#group = groupOf(call.rule, call.token);
      this.token = call.token;
      live.add(this);
      this.#liveUntilExp();
      const untilAnnouncedMs = (this.#endsAtMs - now()) / 4;
      if (call.announce) this.#timer = setTimeout(() => this.#announce(), Math.min(untilAnnouncedMs, maxTimeoutMs)).unref();
      else this.#awaitExp();
    }

    get rule(): Rule {
      return this.#call.rule;
    }

    renew(token: VerifiedToken): number {
      const { claims } = token;
      if (claims.exp <= this.token.claims.exp) return this.token.claims.exp;
      if (claims.exp * 1000 <= now()) throw new TokenError('TOKEN_EXPIRED', 'the token expired before the stream was renewed');
      const opened = this.#call.token.claims;
      const opening = { ...token, claims: { ...opened, jti: claims.jti, rn: claims.rn, iat: claims.iat } };
      const match = verifier.findRevocation(token) ?? verifier.findRevocation(opening);
      if (match) throw revokedBy(match);
      over.delete(this);
      this.token = token;
      this.#opening = opening;
      this.#liveUntilExp();
      this.#awaitExp();
      return claims.exp;
    }

    release(): void {
      clearTimeout(this.#timer);
      live.delete(this);
      over.delete(this);
    }

    /** Ends the stream because its time is over. @returns Whether it did, here and below: always. */
    expire(): boolean {
      over.delete(this);
      this.#call.end(expired);
      return true;
    }

    /** Ends the stream when a revocation covers it. */
    endIfRevoked(find: CallVerifier['findRevocation']): boolean {
      const match = find(this.token) ?? (this.#opening && verifier.findRevocation(this.#opening));
      if (match) this.#call.end(revokedBy(match));
      return match !== undefined;
    }

    /** Ends the stream when its time is over by the clock, which may have been set since the timer was, or when it may not go on. */
    endIfOver(nowMs: number): boolean {
      if (nowMs >= this.#endsAtMs) this.expire();
      else if (this.#group.mayGoOn) return false;
      else this.#call.end(tooStale);
      return true;
    }

    // a token that only tolerance let in lives until tolerance ends; every other one until `exp`
    #liveUntilExp(): void {
      const expMs = this.token.claims.exp * 1000;
      this.#endsAtMs = expMs > now() ? expMs : expMs + clockToleranceSeconds * 1000;
    }

    #awaitExp(): void {
      clearTimeout(this.#timer);
      const leftMs = this.#endsAtMs - now();
      const expire = () => {
        over.add(this);
        void endOver();
      };
      this.#timer = setTimeout(leftMs > maxTimeoutMs ? () => this.#awaitExp() : expire, Math.min(leftMs, maxTimeoutMs)).unref();
    }

    #announce(): void {
      this.#awaitExp();
      this.#call.announce?.();
    }
  }

  // A burst of events is one pass over the streams, not one each; events that never cease cost half of the time at most.
  let isEnding = false;
  async function endRevoked(): Promise<void> {
    if (isEnding) return;
    isEnding = true;
    await turn();
    for (let seen = -1; seen !== revocations && !closed; ) {
      seen = revocations;
      const beganAt = performance.now();
      await inSlices(live, () => {
        const find = foundOnce();
        return (call) => call.endIfRevoked(find);
      });
      if (seen !== revocations) await delay(Math.min(performance.now() - beganAt, maxRestMs), undefined, { ref: false });
    }
    isEnding = false; // in the turn of the last look: a revocation that comes next begins another pass
  }
  const stopListening = verifier.onRevocation(() => {
    revocations++;
    if (live.size > 0) void endRevoked();
  });

  // streams that were opened with one token end at one moment
  let isEndingOver = false;
  async function endOver(): Promise<void> {
    if (isEndingOver) return;
    isEndingOver = true;
    while (over.size > 0 && !closed) await inSlices(over, () => (call) => call.expire());
    isEndingOver = false;
  }

  let isSweeping = false;
  const sweep = setInterval(async () => {
    if (isSweeping) return;
    isSweeping = true;
    await inSlices(live, () => {
      for (const group of groups.values()) group.mayGoOn = goesOn[verifier.staleness(group.rule, group.token)];
      const nowMs = now();
      return (call) => call.endIfOver(nowMs);
    });
    isSweeping = false;
  }, sweepMs).unref();

  /** Looks up each token once, for a slice: many streams are opened with one. What comes in during the slice begins another pass. */
  function foundOnce(): CallVerifier['findRevocation'] {
    const found = new Map<VerifiedToken, Match | undefined>();
    return (token) => {
      if (!found.has(token)) found.set(token, verifier.findRevocation(token));
      return found.get(token);
    };
  }

  /**
   * Visits every stream; those that come in meanwhile, too, and not those that have ended.
   *
   * @param beginSlice Makes what visits the streams of one slice, and returns whether it ended one.
   */
  async function inSlices(calls: ReadonlySet<Watched>, beginSlice: () => (call: Watched) => boolean): Promise<void> {
    let [visit, sliceEndsAt, looked] = [beginSlice(), performance.now() + sliceMs, 0];
    for (const call of calls) {
      // an end may take any time, a look takes none
      if (!visit(call) && ++looked % looksPerClock > 0) continue;
      if (performance.now() < sliceEndsAt) continue;
      await turn();
      if (closed) return;
      [visit, sliceEndsAt] = [beginSlice(), performance.now() + sliceMs];
    }
  }

  return {
    add(call) {
      const watched = new Watched(call);
      // an event may have been applied between the check and now
      if (verifier.findRevocation(call.token)) setImmediate(() => live.has(watched) && watched.endIfRevoked(verifier.findRevocation));
      return watched;
    },
    get size() {
      return live.size;
    },
    close() {
      closed = true;
      stopListening();
      clearInterval(sweep);
    },
  };
}

/** The streams of one method with tokens of one issuer: whether they may go on is one answer for all. */
interface Group {
  readonly rule: Rule;
  /** One of the tokens. */
  readonly token: VerifiedToken;
  /** In the present slice of a sweep. */
  mayGoOn: boolean;
}

/** Whether a stream may live on that was admitted when revocations were fresher. There is nobody to ask for each of its messages. */
const goesOn: Readonly<Record<Staleness, boolean>> = { fresh: true, tolerated: true, asked: false, closed: false };
