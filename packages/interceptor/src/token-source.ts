import type { RevocationSet } from '@tokenmesh/revocation';
import { parseJws, parseScope, parseServiceTokenClaims, TokenError, tokenTypes, type VerifiedToken } from '@tokenmesh/token';
import { type Caller, subjectTokenOf } from './caller.ts';
import { refusalOf } from './status.ts';

/** What token is wanted. */
export interface TokenRequest {
  /** Identity of the service that is going to be called. */
  readonly audience: string;
  /** Space-separated; absent: everything that the grant allows. */
  readonly scope?: string | undefined;
  /** Absent: the workload's own token. */
  readonly onBehalfOf?: Caller | undefined;
}

/** What token-exchange answered (RFC 8693 section 2.2.1). */
export interface IssuedToken {
  readonly accessToken: string;
  readonly tokenType: string;
  readonly expiresInSeconds: number;
}

/** A token that can be presented now. */
export interface HeldToken {
  readonly compact: string;
  readonly tokenType: string;
  readonly expMs: number;
}

/** Tokens for outgoing calls, obtained once and reused. */
export interface TokenSource {
  /**
   * A token for one call: at once when one is held, else after one exchange that all who wait share.
   *
   * A held token is replaced in the background once half of its life (±10 %) is over, is still used while that fails, and is dropped when a
   * revocation covers it. A failure is remembered for a second, so that a refusal or an outage costs one exchange, not one per call.
   *
   * @throws What the exchange rejected with.
   */
  get(request: TokenRequest): HeldToken | Promise<HeldToken>;
  /** Forgets a token that was refused, so that the next call obtains another. */
  drop(token: HeldToken): void;
}

export interface TokenSourceOptions {
  readonly exchange: (request: TokenRequest) => Promise<IssuedToken>;
  /** Evicts held tokens; absent: only `drop` does. */
  readonly revoked?: RevocationSet;
  /** Entries kept; default 10 000. Tokens on behalf of callers are many and short. */
  readonly maxEntries?: number;
  readonly now?: () => number;
  readonly random?: () => number;
}

/** Everything known under one key: a held token or none, an exchange in flight or none, a remembered failure or none. */
interface Entry {
  held: (HeldToken & { readonly refreshAtMs: number; readonly guardMs: number; readonly verified: VerifiedToken | undefined }) | undefined;
  clearedAt: number;
  inFlight: Promise<HeldToken> | undefined;
  failure: { readonly error: unknown; readonly untilMs: number; readonly count: number } | undefined;
}

/** A token this close to its end may die on the way; 30 s, or a tenth of a shorter life. */
const guardMs = 30_000;
const rememberFailureMs = 1_000;
const maxBackoffMs = 30_000;

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { exchange, revoked, maxEntries = 10_000, now = Date.now, random = Math.random } = options;
  const entries = new Map<string, Entry>();

  function entryFor(request: TokenRequest): Entry {
    const key = JSON.stringify([request.audience, request.scope ?? '', request.onBehalfOf?.jti ?? '']);
    const known = entries.get(key);
    const entry = known ?? { held: undefined, clearedAt: -1, inFlight: undefined, failure: undefined };
    entries.delete(key);
    entries.set(key, entry);
    if (entries.size > maxEntries) {
      const [oldest] = entries.keys();
      if (oldest !== undefined) entries.delete(oldest);
    }
    return entry;
  }

  function isRevoked(entry: Entry): boolean {
    const verified = entry.held?.verified;
    if (!revoked || !verified || entry.clearedAt === revoked.version) return false;
    if (revoked.find(verified)) return true;
    entry.clearedAt = revoked.version;
    return false;
  }

  function obtain(entry: Entry, request: TokenRequest): Promise<HeldToken> {
    entry.inFlight ??= run(entry, request).finally(() => {
      entry.inFlight = undefined;
    });
    return entry.inFlight;
  }

  async function run(entry: Entry, request: TokenRequest): Promise<HeldToken> {
    try {
      // a revocation may overtake the answer: what it covers is asked for once more
      for (let attempt = 0; attempt < 2; attempt++) {
        const askedAtMs = now();
        const issued = await exchange(request);
        const lifeMs = issued.expiresInSeconds * 1000;
        entry.held = {
          compact: issued.accessToken,
          tokenType: issued.tokenType,
          expMs: askedAtMs + lifeMs,
          refreshAtMs: askedAtMs + lifeMs * (0.45 + 0.1 * random()),
          guardMs: Math.min(guardMs, lifeMs / 10),
          verified: readIssued(issued.accessToken),
        };
        entry.clearedAt = -1;
        if (isRevoked(entry)) continue;
        entry.failure = undefined;
        return entry.held;
      }
      entry.held = undefined;
      throw new TokenError('TOKEN_REVOKED', 'token-exchange issued a token that is revoked already');
    } catch (error) {
      const count = (entry.failure?.count ?? 0) + 1;
      const backoffMs = Math.min(maxBackoffMs, rememberFailureMs * 2 ** (count - 1)) * (0.5 + 0.5 * random());
      const wait = Math.max(rememberFailureMs, backoffMs, refusalOf(error as { metadata?: never })?.retryAfterMs ?? 0);
      entry.failure = { error, count, untilMs: now() + (entry.held ? wait : rememberFailureMs) };
      throw error;
    }
  }

  function get(request: TokenRequest): HeldToken | Promise<HeldToken> {
    if (request.onBehalfOf && subjectTokenOf(request.onBehalfOf).expMs <= now()) {
      throw new TokenError('SUBJECT_TOKEN_INVALID', "the caller's token has expired");
    }
    const entry = entryFor(request);
    if (isRevoked(entry)) {
      entry.held = undefined;
      entry.failure = undefined;
    }
    const { held, failure } = entry;
    const nowMs = now();
    const mayAsk = !failure || failure.untilMs <= nowMs;
    if (held && nowMs < held.expMs - held.guardMs) {
      if (nowMs >= held.refreshAtMs && mayAsk) obtain(entry, request).catch(() => undefined); // remembered in entry.failure
      return held;
    }
    if (held && nowMs < held.expMs) {
      // nearly over: wait for a new one, but a call that can still be made is not failed
      if (!mayAsk) return held;
      return obtain(entry, request).catch((error: unknown) => {
        if (now() < held.expMs) return held;
        throw error;
      });
    }
    if (entry.inFlight) return entry.inFlight;
    if (!mayAsk) throw failure?.error;
    return obtain(entry, request);
  }

  return {
    get,
    drop(token) {
      for (const entry of entries.values()) if (entry.held === token) entry.held = undefined;
    },
  };
}

/** The handles by which a revocation names the token. A token that cannot be read (an opaque one) is known to its audience only. */
function readIssued(compact: string): VerifiedToken | undefined {
  try {
    const jws = parseJws(compact, { typ: tokenTypes.serviceToken });
    const claims = parseServiceTokenClaims(jws.payload);
    return { claims, kid: jws.kid, scope: parseScope(claims.scope) };
  } catch {
    return undefined;
  }
}
