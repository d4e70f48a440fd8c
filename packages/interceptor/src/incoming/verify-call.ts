import type { Freshness, Instant, Match, RevocationSet } from '@tokenmesh/revocation';
import {
  acceptIntrospectedClaims,
  checkTimes,
  type KeySet,
  parseJws,
  TokenError,
  tokenTypes,
  type VerifiedToken,
  type VerifyServiceTokenOptions,
  verifyServiceToken,
} from '@tokenmesh/token';
import { createVerifierMetrics } from '../call-metrics.ts';
import type { PresentedCredential } from './bearer.ts';
import { createBindingCheck, type ProofPolicy } from './binding.ts';
import { type Caller, createCaller, markStale } from './caller.ts';
import { checkRule } from './check-rule.ts';
import { createIntrospector, type Introspection, type Introspector } from './introspector.ts';
import type { Rule } from './rules.ts';
import { type Staleness, stalenessOf } from './staleness.ts';
import { CacheEntry, createVerifiedTokenCache } from './verified-token-cache.ts';

/** What a verifier knows of revocations: the feed, or at token-exchange the record itself. */
export interface RevocationView {
  readonly set: RevocationSet;
  /** @param at The moment to judge by, where the clocks were read already. Default: now, by clocks of its own. */
  freshness(at?: Instant): Freshness;
  /** Called after targets were added to the set; returns the way to stop. */
  onApplied(listener: () => void): () => void;
}

/** What is known of the other end of the connection. */
export interface Peer {
  /** SHA-256 of its certificate, base64url; `undefined` when it presented none that was checked. */
  certificateThumbprint(): string | undefined;
  /** IP address; empty when unknown. */
  readonly address: string;
  /**
   * Whether the call was given up by now. Where that can be told, a signature is checked a turn of the event loop after the call came in, and not at
   * all when it was reset meanwhile (CVE-2023-44487: a flood of calls that are reset as soon as they are made). Absent: it is checked at once.
   */
  readonly isGone?: boolean;
}

/** An issuer whose tokens count here, with what verifies them: its own keys and its own revocations, nobody else's. */
export interface TrustedIssuer {
  readonly issuer: string;
  readonly keys: KeySet;
  readonly revocation: RevocationView;
  /**
   * Asks the issuer about a token: for opaque tokens, and the way out for critical methods while revocations are stale. Absent: the former are
   * no tokens, the latter are refused then.
   */
  readonly introspect?: (compact: string) => Promise<Introspection>;
}

/** Whose tokens a service accepts, and how strictly they are judged. */
export interface CallVerifierOptions extends TrustedIssuer {
  /** Identity of this service: the only audience accepted. */
  readonly audience: string;
  /** Further issuers, such as the successor of a mesh during a migration; `audience` is this service's identity in its tokens, default the same. */
  readonly alsoTrust?: readonly (TrustedIssuer & { readonly audience?: string })[];
  /** How long an issuer's word on an opaque token is kept, unless a revocation covers it before; 0…300 000, default 30 000; 0: never. */
  readonly opaqueKeepMs?: number;
  /** Host, and port where it is not 443, that callers' DPoP proofs are for; default `authorityOf(audience)`. */
  readonly authority?: string;
  /** How callers' DPoP proofs are judged. */
  readonly proofs?: ProofPolicy;
  /** Clock difference that is tolerated for `exp`, `iat` and `nbf`; integer 0…5, default 5. */
  readonly clockToleranceSeconds?: number;
  /** Ceiling on a token's whole life; default 900. */
  readonly maxLifeSeconds?: number;
  /**
   * How old token-exchange's word on a token may be when a call is admitted by it because revocations are stale, for methods that do not say it
   * themselves: the S of the revocation view, in milliseconds; default 5 000.
   */
  readonly staleAfterMs?: number;
  /** Age of revocation data up to which standard methods go on that do not say it themselves: G, in milliseconds; default `maxLifeSeconds`. */
  readonly maxBlindMs?: number;
  /** Verified tokens kept; default 10 000, about 1 KiB each. Fewer when tokens are longer than 1 KiB on average. */
  readonly maxCachedTokens?: number;
  /** Wall clock, milliseconds since epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** A clock that never steps, in milliseconds: the one that the revocation view goes by, which is judged by its readings. Default `performance.now`. */
  readonly monotonicNow?: () => number;
  /** The time that tokens' times are judged by when the clocks say this, milliseconds since epoch: for who knows better. Default: that of the wall clock. */
  readonly timeAt?: (at: Instant) => number;
}

/** A call that may proceed. */
export interface AdmittedCall {
  readonly token: VerifiedToken;
  readonly caller: Caller;
}

/** Told of a call's token once it is known to be genuine, before anything else of it is judged; `isCached`: it was verified for a call before. */
export type VerifiedListener = (token: VerifiedToken, freshness: Freshness, isCached: boolean) => void;

/** Decides which calls come in: what the server's interceptor asks of every one. */
export interface CallVerifier {
  /**
   * Decides one call: verified token (cached or not), times, revocation and its freshness, binding, rule, in this order; the first
   * failure wins.
   *
   * @param onVerified For telemetry; default nobody. Must not throw.
   * @returns At once when the token was verified before; a promise when a key has to be fetched, token-exchange has to be asked, or it is worth
   *   waiting whether the call is given up.
   * @throws {TokenError} Every reason of the tokens', binding's, rule's and verifier's rows of the table of refusals.
   */
  verify(presented: PresentedCredential, rule: Rule, peer: Peer, onVerified?: VerifiedListener): AdmittedCall | Promise<AdmittedCall>;
  /** Whether the revocation data of the token's issuer are current enough for calls under this rule. */
  staleness(rule: Rule, token: VerifiedToken): Staleness;
  /** What its issuer's revocations say of a token that was admitted. */
  findRevocation(token: VerifiedToken): Match | undefined;
  /** Called after revocations of any issuer were applied; returns the way to stop. */
  onRevocation(listener: () => void): () => void;
  /** The nonce that callers' next DPoP proofs have to hold; `undefined` when none has to. */
  proofNonce(): string | undefined;
  /** The time that tokens' times are judged by, milliseconds since epoch. */
  now(): number;
}

const opaqueToken = /^tm_[A-Za-z0-9_-]{43}$/;
const maxOpaqueKeepMs = 300_000;
/** A question takes its time, also where the rule takes revocation data of no age. */
const shortestWordMs = 250;

/** A trusted issuer as the verifier uses it. */
interface Issuer {
  readonly revocation: RevocationView;
  readonly introspector: Introspector | undefined;
  readonly verifyOptions: VerifyServiceTokenOptions;
}

/** The decision on incoming calls, without any gRPC in it. Synchronous on a cache hit. */
export function createCallVerifier(options: CallVerifierOptions): CallVerifier {
  const { now: wallNow = Date.now, monotonicNow = () => performance.now(), timeAt = ({ wallMs }) => wallMs } = options;
  const { clockToleranceSeconds = 5, maxLifeSeconds = 900 } = options;
  const { opaqueKeepMs = 30_000, staleAfterMs = 5_000, maxBlindMs = maxLifeSeconds * 1000 } = options;
  if (!Number.isInteger(clockToleranceSeconds) || clockToleranceSeconds < 0 || clockToleranceSeconds > 5) {
    throw new TypeError('clockToleranceSeconds must be an integer from 0 to 5');
  }
  if (!(opaqueKeepMs >= 0 && opaqueKeepMs <= maxOpaqueKeepMs)) throw new TypeError(`opaqueKeepMs must be 0 to ${maxOpaqueKeepMs}`);
  if (!(maxBlindMs >= 0)) throw new TypeError('maxBlindMs must be 0 or more');
  const instant = (): Instant => ({ wallMs: wallNow(), monotonicMs: monotonicNow() });
  const now = () => timeAt(instant());
  const { audience, authority, proofs } = options;
  const binding = createBindingCheck({ audience, authority, proofs, clockToleranceSeconds, now });
  const own = useIssuer(options);
  const issuers = new Map([[options.issuer, own]]);
  for (const trusted of options.alsoTrust ?? []) {
    if (issuers.has(trusted.issuer)) throw new TypeError(`the issuer ${trusted.issuer} is named twice`);
    issuers.set(trusted.issuer, useIssuer(trusted));
  }
  const takesOpaqueTokens = [...issuers.values()].some(({ introspector }) => introspector);
  const cache = createVerifiedTokenCache<Issuer>(options.maxCachedTokens ?? 10_000);
  const metrics = createVerifierMetrics(now);

  function useIssuer({
    issuer,
    audience = options.audience,
    keys,
    revocation,
    introspect,
  }: NonNullable<typeof options.alsoTrust>[number]): Issuer {
    if (audience === '') throw new TypeError('audience must name this service');
    return {
      revocation,
      introspector: introspect && createIntrospector(introspect, now, monotonicNow),
      verifyOptions: { issuer, audience, keys, now, clockToleranceSeconds, maxLifeSeconds },
    };
  }

  function remember(compact: string, token: VerifiedToken, issuer: Issuer, keptUntilMs?: number): CacheEntry<Issuer> {
    const entry = new CacheEntry(compact, token, createCaller(token, compact), issuer, keptUntilMs);
    cache.add(entry);
    return entry;
  }

  function admit(
    entry: CacheEntry<Issuer>,
    isCached: boolean,
    presented: PresentedCredential,
    rule: Rule,
    peer: Peer,
    onVerified: VerifiedListener | undefined,
  ): AdmittedCall | Promise<AdmittedCall> {
    const { token, caller } = entry;
    // one moment for all that is judged here: a clock costs as much as the rest
    const at = instant();
    const freshness = entry.issuer.revocation.freshness(at);
    onVerified?.(token, freshness, isCached);
    checkTimes(token.claims, timeAt(at), clockToleranceSeconds);
    checkRevocation(entry);
    binding.check(token, presented, rule, peer);
    checkRule(token, rule);
    const staleness = stalenessOf(freshness, rule, maxBlindMs);
    switch (staleness) {
      case 'fresh':
        return { token, caller };
      case 'tolerated':
        metrics.stale(rule.method, 'tolerated');
        return { token, caller: markStale(caller) };
      case 'asked':
        if (!entry.issuer.introspector) throw tooStale(rule);
        return askTokenExchange(entry.issuer.introspector, entry, presented, rule);
      case 'closed':
        throw tooStale(rule);
      default: {
        const unreachable: never = staleness;
        return unreachable;
      }
    }
  }

  function tooStale({ method }: Rule): TokenError {
    metrics.stale(method, 'refused');
    return new TokenError('REVOCATION_STALE', 'the revocation feed has not been heard for too long');
  }

  function admitUnknown(
    presented: PresentedCredential,
    rule: Rule,
    peer: Peer,
    onVerified: VerifiedListener | undefined,
  ): AdmittedCall | Promise<AdmittedCall> {
    const { token: compact } = presented;
    const issuer = issuerOf(compact);
    const admitVerified = (token: VerifiedToken) => admit(remember(compact, token, issuer), false, presented, rule, peer, onVerified);
    const verified = verifyServiceToken(compact, issuer.verifyOptions);
    return verified instanceof Promise ? verified.then(admitVerified) : admitVerified(verified);
  }

  async function askTokenExchange(
    introspector: Introspector,
    entry: CacheEntry<Issuer>,
    presented: PresentedCredential,
    rule: Rule,
  ): Promise<AdmittedCall> {
    const { token, caller } = entry;
    const maxAgeMs = rule.maxStaleMs ?? staleAfterMs;
    const asked = await introspector.ask(presented.token, { maxAgeMs }).catch(() => undefined);
    if (!asked) throw tooStale(rule);
    const { introspection } = asked;
    if (!introspection.active || introspection.claims.jti !== token.claims.jti) {
      throw new TokenError('TOKEN_REVOKED', 'token-exchange says that the token is not active');
    }
    // the answer was true when it was given, which may be as long ago as the question
    if (asked.ageMs() > Math.max(maxAgeMs, shortestWordMs)) throw tooStale(rule);
    checkTimes(token.claims, now(), clockToleranceSeconds);
    checkRevocation(entry);
    metrics.stale(rule.method, 'introspected');
    return { token, caller };
  }

  function checkRevocation(entry: CacheEntry<Issuer>): void {
    const { set } = entry.issuer.revocation;
    const { version } = set;
    if (entry.clearedAt === version) return;
    const match = set.find(entry.token);
    if (match) throw new TokenError('TOKEN_REVOKED', `revoked by ${match.kind} at position ${match.n}`);
    entry.clearedAt = version;
  }

  // With one issuer its key set alone decides whose the token is. With several the token says it, unverified, and is held to it: the keys of
  // the issuer that it names, and no others, verify it.
  function issuerOf(compact: string): Issuer {
    if (issuers.size === 1) return own;
    const { iss } = parseJws(compact, { typ: tokenTypes.serviceToken }).payload;
    const issuer = typeof iss === 'string' ? issuers.get(iss) : undefined;
    if (!issuer) throw new TokenError('ISSUER_UNTRUSTED', 'the issuer is not trusted here');
    return issuer;
  }

  /** An opaque token does not say whose it is: the issuers are asked in turn. Each of them could issue tokens for this service anyway. */
  async function introspectOpaque(compact: string, from: string): Promise<CacheEntry<Issuer>> {
    let unanswered: unknown;
    for (const issuer of issuers.values()) {
      try {
        const asked = await issuer.introspector?.ask(compact, { from, maxAgeMs: opaqueKeepMs });
        if (!asked?.introspection.active) continue;
        const token = acceptIntrospectedClaims(asked.introspection.claims, issuer.verifyOptions);
        return remember(compact, token, issuer, asked.askedAtMs + opaqueKeepMs);
      } catch (error) {
        // the issuer knows it: what is wrong with it is the answer, whatever others say
        if (error instanceof TokenError && error.reason !== 'KEYS_UNAVAILABLE') throw error;
        unanswered = error;
      }
    }
    if (unanswered) throw new TokenError('KEYS_UNAVAILABLE', 'token-exchange could not be asked about an opaque token');
    // why it is not active is not said; of what a new token mends, this claims least
    throw new TokenError('TOKEN_REVOKED', 'token-exchange says that the token is not active');
  }

  function issuerNamedBy(token: VerifiedToken): Issuer {
    return issuers.get(token.claims.iss) ?? own;
  }

  function verifyAnew(
    presented: PresentedCredential,
    rule: Rule,
    peer: Peer,
    onVerified: VerifiedListener | undefined,
  ): AdmittedCall | Promise<AdmittedCall> {
    const { token: compact } = presented;
    if (takesOpaqueTokens && opaqueToken.test(compact)) {
      return introspectOpaque(compact, peer.address).then((entry) => admit(entry, false, presented, rule, peer, onVerified));
    }
    if (peer.isGone === undefined) return admitUnknown(presented, rule, peer, onVerified);
    return nextTurn().then(() => {
      if (peer.isGone) throw new Error('the call was given up');
      return admitUnknown(presented, rule, peer, onVerified);
    });
  }

  function counted(outcome: 'cached' | 'verified', admitted: AdmittedCall | Promise<AdmittedCall>): AdmittedCall | Promise<AdmittedCall> {
    if (admitted instanceof Promise) return admitted.then((call) => counted(outcome, call));
    metrics.admitted(outcome, admitted.token.claims.iat);
    return admitted;
  }

  return {
    verify(presented, rule, peer, onVerified) {
      const cached = cache.get(presented.token);
      if (cached && (cached.keptUntilMs === undefined || now() < cached.keptUntilMs)) {
        return counted('cached', admit(cached, true, presented, rule, peer, onVerified));
      }
      const verification = metrics.timed(() => verifyAnew(presented, rule, peer, onVerified));
      return counted('verified', verification);
    },
    staleness: (rule, token) => stalenessOf(issuerNamedBy(token).revocation.freshness(), rule, maxBlindMs),
    proofNonce: binding.nonce,
    now,
    findRevocation: (token) => issuerNamedBy(token).revocation.set.find(token),
    onRevocation(listener) {
      const stops = [...issuers.values()].map(({ revocation }) => revocation.onApplied(listener));
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
