import { type Context, context } from '@opentelemetry/api';
import type { RevocationSet } from '@tokenmesh/revocation';
import { parseJws, parseScope, parseServiceTokenClaims, TokenError, tokenTypes, type VerifiedToken } from '@tokenmesh/token';
import type { CredentialKey } from '../incoming/bearer.ts';
import { type Caller, subjectTokenOf } from '../incoming/caller.ts';
import { refusalOf } from '../status.ts';
import { spanChoice, type TracingOptions } from '../tracing.ts';
import { type ObtainSpan, startObtainSpan } from './obtain-span.ts';

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
  /** Whether its audience takes it as `tokenmesh-token` metadata, too (ours). Default false. */
  readonly compactMetadata?: boolean;
}

/** A token that can be presented now. */
export interface HeldToken {
  readonly compact: string;
  readonly tokenType: string;
  readonly expMs: number;
  /** Where calls carry it; default `authorization`. */
  readonly metadataKey?: CredentialKey;
}

/** Tokens for outgoing calls, obtained once and reused. */
export interface TokenSource {
  /**
   * A token for one call: at once when one is held, else after one exchange that all who wait share.
   *
   * A held token is replaced in the background once half of its life (±10 %) is over, is still used while that fails, and is dropped when a
   * revocation covers it. A failure is remembered for a second, so that a refusal or an outage costs one exchange, not one per call.
   *
   * @param call Whose span an exchange is a child of, or linked from. Default: the active context.
   * @throws What the exchange rejected with.
   */
  get(request: TokenRequest, call?: Context): HeldToken | Promise<HeldToken>;
  /**
   * Forgets a token that was refused, so that the next call obtains another. When that one is refused as well within a second, another exchange
   * would not help: calls fail with the refusal until a second has passed.
   *
   * @param refusal What `get` throws then: the status that the call ended with.
   */
  drop(token: HeldToken, refusal: unknown): void;
}

/** A source that can be looked at. */
export interface ObservedTokenSource extends TokenSource {
  /** How many tokens could be presented now. */
  heldTokens(): number;
}

/** What became of a token of the workload's own; those on behalf of callers are too many to tell. */
export interface TokenChange {
  readonly type: 'token';
  readonly audience: string;
  /** Absent: everything that the grant allows. */
  readonly scope?: string;
  /** `obtained` anew; `refreshed` while the one before still served; `evicted` by a revocation or for another certificate; `failed`: neither, and it is tried again. */
  readonly change: 'obtained' | 'refreshed' | 'evicted' | 'failed';
  /** When it was `failed`: what the exchange ended with. */
  readonly error?: unknown;
}

export interface TokenSourceOptions {
  readonly exchange: (request: TokenRequest) => Promise<IssuedToken>;
  /** Has tokens carried as `tokenmesh-token` to audiences of which token-exchange says that they take that. Default false: always as `authorization`. */
  readonly compactMetadata?: boolean;
  /** Evicts held tokens; absent: only `drop` does. */
  readonly revoked?: Pick<RevocationSet, 'version' | 'find'>;
  /**
   * Thumbprint of the certificate that calls are made with now. When it is another one, tokens that are bound to the one before, or may be, are obtained again.
   * Absent: there is none.
   */
  readonly certificate?: () => string | undefined;
  /** Calls its listener after revocations were applied to `revoked`. Absent: held tokens are looked up when they are asked for. */
  readonly onRevocation?: (listener: () => void) => unknown;
  /** Told what becomes of the workload's own tokens; must not throw. Default: nobody. */
  readonly onChange?: (change: TokenChange) => void;
  /** Told of every change, of tokens on behalf of callers too; must not throw. Default: nobody. */
  readonly onCounted?: (audience: string, change: TokenChange['change']) => void;
  /** Entries kept; default 10 000. Tokens on behalf of callers are many and short. */
  readonly maxEntries?: number;
  /** Which of the exchanges that are asked for outside of a trace begin one. Default: as the SDK's sampler decides. */
  readonly tracing?: TracingOptions;
  readonly now?: () => number;
  readonly random?: () => number;
}

/** What the source itself has to know of a held token. */
interface HeldDetails {
  readonly refreshAtMs: number;
  readonly guardMs: number;
  readonly verified: VerifiedToken | undefined;
  /** Thumbprint of the certificate that it is bound to, or may be. */
  readonly boundTo: string | undefined;
}

/** Everything known under one key: a held token or none, an exchange in flight or none, a remembered failure or none. */
interface Entry {
  readonly request: TokenRequest;
  /** -1…1, drawn once: whatever this entry obtains is replaced at the same part of its life, and at another one in every other process. */
  readonly spread: number;
  held: (HeldToken & HeldDetails) | undefined;
  clearedAt: number;
  inFlight: { readonly token: Promise<HeldToken>; readonly span: ObtainSpan } | undefined;
  /** When a token of this entry was refused last. */
  droppedAtMs: number;
  failure: { readonly error: unknown; readonly untilMs: number; readonly count: number; readonly span?: ObtainSpan } | undefined;
}

/** A token this close to its end may die on the way; 30 s, or a tenth of a shorter life. */
const guardMs = 30_000;
const rememberFailureMs = 1_000;
const maxBackoffMs = 30_000;

export function createTokenSource(options: TokenSourceOptions): ObservedTokenSource {
  const { exchange, revoked, onRevocation, onChange = () => {}, certificate = () => undefined, maxEntries = 10_000 } = options;
  const { compactMetadata = false, onCounted = () => {}, tracing = {}, now = Date.now, random = Math.random } = options;
  const spans = spanChoice(tracing);
  const entries = new Map<string, Entry>();
  const owners = new WeakMap<HeldToken, Entry>();

  // the one asked for last, which is where it belongs already
  let newest: Entry | undefined;

  function entryFor(request: TokenRequest): Entry {
    const key = keyOf(request);
    const known = entries.get(key);
    if (known && known === newest) return known;
    const entry = known ?? {
      ...{ request, spread: 2 * random() - 1, held: undefined, clearedAt: -1, inFlight: undefined, failure: undefined },
      droppedAtMs: Number.NEGATIVE_INFINITY,
    };
    newest = entry;
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

  function tell({ request: { audience, scope, onBehalfOf } }: Entry, change: TokenChange['change'], error?: unknown): void {
    onCounted(audience, change);
    if (!onBehalfOf)
      onChange({ type: 'token', audience, ...(scope !== undefined && { scope }), change, ...(error !== undefined && { error }) });
  }

  function evictRevoked(): void {
    evictionPending = false;
    for (const entry of entries.values()) if (isRevoked(entry)) evict(entry);
  }

  function evict(entry: Entry): void {
    entry.held = undefined;
    entry.failure = undefined;
    tell(entry, 'evicted');
  }

  // a burst of events is one pass over the tokens, not one each
  let evictionPending = false;
  onRevocation?.(() => {
    if (evictionPending) return;
    evictionPending = true;
    setImmediate(evictRevoked);
  });

  function isBoundToFormer({ held }: Entry): boolean {
    return held?.boundTo !== undefined && held.boundTo !== certificate();
  }

  function obtain(entry: Entry, request: TokenRequest): Promise<HeldToken> {
    if (entry.inFlight) {
      entry.inFlight.span.share();
      return entry.inFlight.token;
    }
    const span = startObtainSpan(request, entry.held ? 'refresh' : 'first', spans.hasSpan(context.active()));
    const token = span
      .run(() => run(entry, request, span))
      .finally(() => {
        entry.inFlight = undefined;
      });
    entry.inFlight = { token, span };
    return token;
  }

  async function run(entry: Entry, request: TokenRequest, span: ObtainSpan): Promise<HeldToken> {
    const before = entry.held;
    try {
      // a revocation, or another certificate, may overtake the answer: what it covers is asked for once more
      for (let attempt = 0; attempt < 2; attempt++) {
        const askedAtMs = now();
        const askedWith = certificate();
        const issued = await exchange(request);
        checkIssued(issued);
        const verified = readIssued(issued.accessToken);
        const lifeMs = issued.expiresInSeconds * 1000;
        entry.held = {
          compact: issued.accessToken,
          tokenType: issued.tokenType,
          ...(compactMetadata && issued.compactMetadata && { metadataKey: 'tokenmesh-token' }),
          expMs: askedAtMs + lifeMs,
          refreshAtMs: askedAtMs + lifeMs * (0.5 + 0.05 * entry.spread),
          guardMs: Math.min(guardMs, lifeMs / 10),
          verified,
          // whether a token that cannot be read is bound is known to its audience only
          boundTo: verified && verified.claims.cnf?.['x5t#S256'] === undefined ? undefined : askedWith,
        };
        owners.set(entry.held, entry);
        entry.clearedAt = -1;
        if (isRevoked(entry) || isBoundToFormer(entry) || entry.held.expMs <= now()) continue;
        entry.failure = undefined;
        tell(entry, before && before.expMs > now() ? 'refreshed' : 'obtained');
        return entry.held;
      }
      entry.held = undefined;
      throw new TokenError('TOKEN_REVOKED', 'token-exchange issued a token that is over already');
    } catch (error) {
      tell(entry, 'failed', error);
      const count = (entry.failure?.count ?? 0) + 1;
      const backoffMs = Math.min(maxBackoffMs, rememberFailureMs * 2 ** (count - 1)) * (0.5 + 0.5 * random());
      const asked = Math.min(maxBackoffMs, refusalOf(error as { metadata?: never })?.retryAfterMs ?? 0);
      const wait = Math.max(rememberFailureMs, asked, entry.held ? backoffMs : 0);
      entry.failure = { error, count, untilMs: now() + wait, span };
      throw error;
    }
  }

  function get(request: TokenRequest, call = context.active()): HeldToken | Promise<HeldToken> {
    if (request.onBehalfOf && subjectTokenOf(request.onBehalfOf).expMs <= now()) {
      throw new TokenError('SUBJECT_TOKEN_INVALID', "the caller's token has expired");
    }
    const entry = entryFor(request);
    if (isRevoked(entry) || isBoundToFormer(entry)) evict(entry);
    const { held } = entry;
    const nowMs = now();
    // entering a context costs as much as the rest of this: only for what makes or links a span
    if (!held || nowMs >= held.expMs - held.guardMs) return context.with(call, waitFor, undefined, entry, request, nowMs);
    if (nowMs >= Math.max(held.refreshAtMs, entry.failure?.untilMs ?? 0) && !entry.inFlight) {
      context.with(call, obtain, undefined, entry, request).catch(() => undefined); // remembered in entry.failure
    }
    return held;
  }

  function waitFor(entry: Entry, request: TokenRequest, nowMs: number): HeldToken | Promise<HeldToken> {
    const { held, failure } = entry;
    const mayAsk = !failure || failure.untilMs <= nowMs;
    if (held && nowMs < held.expMs) {
      // nearly over: wait for a new one, but a call that can still be made is not failed
      if (!mayAsk) return held;
      return obtain(entry, request).catch((error: unknown) => {
        // not when it was revoked or refused meanwhile
        if (entry.held === held && now() < held.expMs && !isRevoked(entry)) return held;
        throw error;
      });
    }
    if (entry.inFlight) return obtain(entry, request);
    if (!mayAsk) {
      failure.span?.link();
      throw failure.error;
    }
    return obtain(entry, request);
  }

  return {
    get,
    heldTokens() {
      const nowMs = now();
      let count = 0;
      for (const { held } of entries.values()) if (held && nowMs < held.expMs) count++;
      return count;
    },
    drop(token, refusal) {
      const entry = owners.get(token);
      if (entry?.held !== token) return;
      entry.held = undefined;
      const untilMs = entry.droppedAtMs + rememberFailureMs;
      entry.droppedAtMs = now();
      if (untilMs > entry.droppedAtMs) entry.failure = { error: refusal, untilMs: entry.droppedAtMs + rememberFailureMs, count: 1 };
    },
  };
}

/** An audience alone is its own key, for that is what most calls ask for: no SPIFFE ID begins as JSON does. */
function keyOf({ audience, scope = '', onBehalfOf }: TokenRequest): string {
  return scope === '' && !onBehalfOf ? audience : JSON.stringify([audience, scope, onBehalfOf?.jti ?? '']);
}

// RFC 6750 section 2.1; a header near 70 KiB would end the connection for everybody on it
const presentable = /^[A-Za-z0-9\-._~+/]+=*$/;
const maxTokenLength = 8_000;

/** @throws {Error} The answer holds no token that could be presented. Its text holds nothing of it. */
function checkIssued({ accessToken, expiresInSeconds }: IssuedToken): void {
  if (accessToken.length <= maxTokenLength && presentable.test(accessToken) && expiresInSeconds > 0) return;
  throw new Error('token-exchange answered with something that is no token');
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
