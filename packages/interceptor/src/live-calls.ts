import { TokenError, type VerifiedToken } from '@tokenmesh/token';
import type { Rule } from './rules.ts';
import type { CallVerifier, RevocationView } from './verify-call.ts';

/** A stream that was admitted and has not ended. */
export interface LiveCall {
  readonly token: VerifiedToken;
  readonly rule: Rule;
  /** Ends the call with the refusal; the handler sees `cancelled`. */
  end(error: TokenError): void;
}

/**
 * The live streams of a server, ended when their token expires, when a revocation covers it, or when revocations have not been heard of for
 * longer than their method allows.
 *
 * Unary calls are not in here: once admitted they are left to finish, their deadline bounds them.
 */
export interface LiveCalls {
  /** Watches a stream until the returned function is called. */
  add(call: LiveCall): () => void;
  readonly size: number;
  /** Stops watching; the streams themselves go on. */
  close(): void;
}

/** How often staleness is looked at: added to the bound after which a stream ends that can no longer be checked. */
const stalenessCheckMs = 100;

export function createLiveCalls(options: {
  readonly revocation: RevocationView;
  readonly verifier: CallVerifier;
  readonly clockToleranceSeconds: number;
  readonly now: () => number;
}): LiveCalls {
  const { revocation, verifier, clockToleranceSeconds, now } = options;
  const live = new Set<LiveCall>();
  let sweepPending = false;

  function endRevoked(): void {
    sweepPending = false;
    for (const call of live) {
      const match = revocation.set.find(call.token);
      if (match) call.end(new TokenError('TOKEN_REVOKED', `revoked by ${match.kind} at position ${match.n}`));
    }
  }

  // a burst of events is one pass over the streams, not one each
  const stopListening = revocation.onApplied(() => {
    if (sweepPending || live.size === 0) return;
    sweepPending = true;
    setImmediate(endRevoked);
  });

  const stalenessTimer = setInterval(() => {
    for (const call of live) {
      if (verifier.staleness(call.rule) === 'closed') {
        call.end(new TokenError('REVOCATION_STALE', 'the revocation feed has not been heard for too long'));
      }
    }
  }, stalenessCheckMs).unref();

  return {
    add(call) {
      // a token that only tolerance let in lives until tolerance ends; every other one until `exp`
      const expMs = call.token.claims.exp * 1000;
      const endsAtMs = expMs > now() ? expMs : expMs + clockToleranceSeconds * 1000;
      const expiry = setTimeout(() => call.end(new TokenError('TOKEN_EXPIRED', 'the token expired during the call')), endsAtMs - now());
      expiry.unref();
      live.add(call);
      // an event may have been applied between the check and now
      const match = revocation.set.find(call.token);
      if (match) setImmediate(() => call.end(new TokenError('TOKEN_REVOKED', `revoked by ${match.kind} at position ${match.n}`)));
      return () => {
        clearTimeout(expiry);
        live.delete(call);
      };
    },
    get size() {
      return live.size;
    },
    close() {
      stopListening();
      clearInterval(stalenessTimer);
    },
  };
}
