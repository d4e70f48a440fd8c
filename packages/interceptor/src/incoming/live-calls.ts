import { TokenError, type VerifiedToken } from '@tokenmesh/token';
import type { Rule } from './rules.ts';
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
/** `setTimeout` takes no more, and would fire at once. */
const maxTimeoutMs = 2 ** 31 - 1;

export function createLiveCalls(options: {
  readonly verifier: Pick<CallVerifier, 'staleness' | 'findRevocation' | 'onRevocation'>;
  readonly clockToleranceSeconds: number;
  readonly now: () => number;
}): LiveCalls {
  const { verifier, clockToleranceSeconds, now } = options;
  const live = new Set<Watched>();
  let sweepPending = false;

  class Watched implements WatchedCall {
    readonly #call: LiveCall;
    token: VerifiedToken;
    /** The handles of the opening token, at the position and time of the present one; `undefined` while that is the same token. */
    #opening: VerifiedToken | undefined;
    #endsAtMs = 0;
    #timer: NodeJS.Timeout | undefined;

    constructor(call: LiveCall) {
      this.#call = call;
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
      if (match) throw new TokenError('TOKEN_REVOKED', `revoked by ${match.kind} at position ${match.n}`);
      this.token = token;
      this.#opening = opening;
      this.#liveUntilExp();
      this.#awaitExp();
      return claims.exp;
    }

    release(): void {
      clearTimeout(this.#timer);
      live.delete(this);
    }

    /** Ends the stream when a revocation covers it. */
    endIfRevoked(): void {
      const match = verifier.findRevocation(this.token) ?? (this.#opening && verifier.findRevocation(this.#opening));
      if (match) this.#call.end(new TokenError('TOKEN_REVOKED', `revoked by ${match.kind} at position ${match.n}`));
    }

    /** Ends the stream when its time is over by the clock, which may have been set since the timer was. */
    endIfOver(nowMs: number): void {
      if (nowMs >= this.#endsAtMs) this.#call.end(new TokenError('TOKEN_EXPIRED', 'the token expired during the call'));
      else if (verifier.staleness(this.#call.rule, this.token) === 'closed') {
        this.#call.end(new TokenError('REVOCATION_STALE', 'the revocation feed has not been heard for too long'));
      }
    }

    // a token that only tolerance let in lives until tolerance ends; every other one until `exp`
    #liveUntilExp(): void {
      const expMs = this.token.claims.exp * 1000;
      this.#endsAtMs = expMs > now() ? expMs : expMs + clockToleranceSeconds * 1000;
    }

    #awaitExp(): void {
      clearTimeout(this.#timer);
      const leftMs = this.#endsAtMs - now();
      const expire = () => this.#call.end(new TokenError('TOKEN_EXPIRED', 'the token expired during the call'));
      this.#timer = setTimeout(leftMs > maxTimeoutMs ? () => this.#awaitExp() : expire, Math.min(leftMs, maxTimeoutMs)).unref();
    }

    #announce(): void {
      this.#awaitExp();
      this.#call.announce?.();
    }
  }

  // a burst of events is one pass over the streams, not one each
  const stopListening = verifier.onRevocation(() => {
    if (sweepPending || live.size === 0) return;
    sweepPending = true;
    setImmediate(() => {
      sweepPending = false;
      for (const call of live) call.endIfRevoked();
    });
  });

  const sweep = setInterval(() => {
    const nowMs = now();
    for (const call of live) call.endIfOver(nowMs);
  }, sweepMs).unref();

  return {
    add(call) {
      const watched = new Watched(call);
      // an event may have been applied between the check and now
      if (verifier.findRevocation(call.token)) setImmediate(() => live.has(watched) && watched.endIfRevoked());
      return watched;
    },
    get size() {
      return live.size;
    },
    close() {
      stopListening();
      clearInterval(sweep);
    },
  };
}
