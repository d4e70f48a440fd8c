import { BlockList, isIPv6 } from 'node:net';
import type { Freshness, RevocationSet, Target } from '@tokenmesh/revocation';
import {
  checkTimes,
  hasScope,
  type KeySet,
  type ServiceTokenClaims,
  TokenError,
  type VerifiedToken,
  verifyServiceToken,
} from '@tokenmesh/token';
import type { PresentedCredential } from './bearer.ts';
import { type Caller, createCaller, markStale } from './caller.ts';
import type { Rule } from './rules.ts';
import { type CacheEntry, createVerifiedTokenCache } from './verified-token-cache.ts';

/** What a verifier knows of revocations: the feed, or at token-exchange the record itself. */
export interface RevocationView {
  readonly set: RevocationSet;
  freshness(): Freshness;
  /** Called after targets were added to the set; returns the way to stop. */
  onApplied(listener: (targets: readonly Target[]) => void): () => void;
}

/** What is known of the other end of the connection. */
export interface Peer {
  /** SHA-256 of its certificate, base64url; `undefined` when it presented none that was checked. */
  certificateThumbprint(): string | undefined;
  /** IP address; empty when unknown. */
  readonly address: string;
}

export interface CallVerifierOptions {
  /** Identity of this service: the only audience accepted. */
  readonly audience: string;
  readonly issuer: string | readonly string[];
  readonly keys: KeySet;
  readonly revocation: RevocationView;
  /**
   * Asks token-exchange whether a token is active: the way out for critical methods while revocations are stale. Absent: they are refused
   * then.
   */
  readonly introspect?: (compact: string) => Promise<boolean>;
  /** Clock difference that is tolerated for `exp`, `iat` and `nbf`; integer 0…5, default 5. */
  readonly clockToleranceSeconds?: number;
  /** Ceiling on a token's whole life; default 900. Also how long standard methods go on while revocations are stale. */
  readonly maxLifeSeconds?: number;
  /** Verified tokens kept; default 10 000, about 1 KiB each. */
  readonly maxCachedTokens?: number;
  readonly now?: () => number;
}

/** A call that may proceed. */
export interface AdmittedCall {
  readonly token: VerifiedToken;
  readonly caller: Caller;
}

export interface CallVerifier {
  /**
   * Decides one call: verified token (cached or not), times, revocation and its freshness, binding, rule, in this order; the first
   * failure wins.
   *
   * @returns At once when the token and the keys are known; a promise when a key has to be fetched or token-exchange has to be asked.
   * @throws {TokenError} Every reason of the tokens', binding's, rule's and verifier's rows of the table of refusals.
   */
  verify(presented: PresentedCredential, rule: Rule, peer: Peer): AdmittedCall | Promise<AdmittedCall>;
  /**
   * Whether revocation data are current enough for calls under this rule: `fresh`; `tolerated`: old, but the method is `standard` and the
   * tokens' own life still bounds the risk; `closed`: calls need token-exchange's word, and live streams end.
   */
  staleness(rule: Rule): 'fresh' | 'tolerated' | 'closed';
}

/** The decision on incoming calls, without any gRPC in it. Synchronous on a cache hit. */
export function createCallVerifier(options: CallVerifierOptions): CallVerifier {
  const { audience, issuer, keys, revocation, introspect, now = Date.now } = options;
  const clockToleranceSeconds = options.clockToleranceSeconds ?? 5;
  const maxLifeSeconds = options.maxLifeSeconds ?? 900;
  if (audience === '') throw new TypeError('audience must name this service');
  if (!Number.isInteger(clockToleranceSeconds) || clockToleranceSeconds < 0 || clockToleranceSeconds > 5) {
    throw new TypeError('clockToleranceSeconds must be an integer from 0 to 5');
  }
  const verifyOptions = { issuer, audience, keys, now, clockToleranceSeconds, maxLifeSeconds };
  const cache = createVerifiedTokenCache(options.maxCachedTokens ?? 10_000);

  function remember(compact: string, token: VerifiedToken): CacheEntry {
    const entry = { token, caller: createCaller(token, compact), clearedAt: -1 };
    cache.add(compact, entry);
    return entry;
  }

  function admit(entry: CacheEntry, presented: PresentedCredential, rule: Rule, peer: Peer): AdmittedCall | Promise<AdmittedCall> {
    const { token, caller } = entry;
    checkTimes(token.claims, now(), clockToleranceSeconds);
    checkRevocation(entry);
    checkBinding(token, presented, rule, peer);
    checkRule(token, rule);
    switch (staleness(rule)) {
      case 'fresh':
        return { token, caller };
      case 'tolerated':
        return { token, caller: markStale(caller) };
      case 'closed':
        return askTokenExchange(entry, presented);
    }
  }

  function staleness(rule: Rule): 'fresh' | 'tolerated' | 'closed' {
    const freshness = revocation.freshness();
    if (freshness.state === 'empty') return 'closed';
    const isStale = rule.maxStaleMs === undefined ? freshness.state === 'stale' : freshness.ageMs > rule.maxStaleMs;
    if (!isStale) return 'fresh';
    return rule.class === 'standard' && freshness.ageMs <= maxLifeSeconds * 1000 ? 'tolerated' : 'closed';
  }

  function askTokenExchange({ token, caller }: CacheEntry, presented: PresentedCredential): Promise<AdmittedCall> {
    const refusal = () => new TokenError('REVOCATION_STALE', 'the revocation feed has not been heard for too long');
    if (!introspect) throw refusal();
    return introspect(presented.token).then(
      (active) => {
        if (!active) throw new TokenError('TOKEN_REVOKED', 'token-exchange says that the token is not active');
        return { token, caller };
      },
      () => {
        throw refusal();
      },
    );
  }

  function checkRevocation(entry: CacheEntry): void {
    const { version } = revocation.set;
    if (entry.clearedAt === version) return;
    const match = revocation.set.find(entry.token);
    if (match) throw new TokenError('TOKEN_REVOKED', `revoked by ${match.kind} at position ${match.n}`);
    entry.clearedAt = version;
  }

  return {
    verify(presented, rule, peer) {
      const { token: compact } = presented;
      const cached = cache.get(compact);
      if (cached) return admit(cached, presented, rule, peer);
      const verified = verifyServiceToken(compact, verifyOptions);
      if (verified instanceof Promise) return verified.then((token) => admit(remember(compact, token), presented, rule, peer));
      return admit(remember(compact, verified), presented, rule, peer);
    },
    staleness,
  };
}

/** RFC 8705 section 3, RFC 9449 section 7.1 and `net`: a bound token without its proof is no credential. */
function checkBinding(token: VerifiedToken, presented: PresentedCredential, rule: Rule, peer: Peer): void {
  const { cnf, net } = token.claims;
  if (rule.requireBinding && !cnf) throw new TokenError('BINDING_MISMATCH', 'the method needs a bound token');
  if (cnf?.jkt !== undefined && presented.scheme !== 'DPoP') {
    throw new TokenError('BOUND_TOKEN_AS_BEARER', 'the token is bound to a DPoP key and came as a bearer token');
  }
  if (presented.scheme === 'DPoP') throw new TokenError('PROOF_INVALID', 'this service does not take DPoP proofs');
  const thumbprint = cnf?.['x5t#S256'];
  if (thumbprint !== undefined && thumbprint !== peer.certificateThumbprint()) {
    throw new TokenError('BINDING_MISMATCH', 'the token is bound to another certificate');
  }
  if (net && !isWithin(peer.address, net)) throw new TokenError('BINDING_MISMATCH', 'the token is bound to another network');
}

function isWithin(address: string, cidrs: readonly string[]): boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', prefix = ''] = cidr.split('/');
    list.addSubnet(network, Number(prefix), isIPv6(network) ? 'ipv6' : 'ipv4');
  }
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** What a rule looks at, in this order. */
export type RuleCheck = 'scopes' | 'any_scope' | 'callers' | 'max_act_depth';

/** What of a verified token a rule looks at. */
export interface JudgedToken {
  readonly claims: Pick<ServiceTokenClaims, 'client_id' | 'act'>;
  readonly scope: readonly string[];
}

/**
 * Whether a method's rule admits a verified token. RFC 8693 section 4.1: the current actor counts, nobody further down the chain. Does NOT look at
 * `public`, `requireBinding` and staleness, which are not about what the token says.
 *
 * @param report Told of each check that the rule asks for and what it compared, at the moment of the check.
 * @throws {TokenError} SCOPE_INSUFFICIENT, CALLER_NOT_ALLOWED, DELEGATION_NOT_ALLOWED, DELEGATION_TOO_DEEP
 */
export function checkRule(
  { claims, scope }: JudgedToken,
  rule: Rule,
  report?: (check: RuleCheck, passed: boolean, compared: string) => void,
): void {
  const hasAll = hasScope(scope, rule.scopes);
  if (rule.scopes.length > 0) report?.('scopes', hasAll, `${scope.join(' ')} with ${rule.scopes.join(' ')}`);
  if (!hasAll) throw new TokenError('SCOPE_INSUFFICIENT', `needs ${rule.scopes.join(' ')}`);
  if (rule.anyScope.length > 0) {
    const hasOne = rule.anyScope.some((one) => hasScope(scope, [one]));
    report?.('any_scope', hasOne, `${scope.join(' ')} with one of ${rule.anyScope.join(' ')}`);
    if (!hasOne) throw new TokenError('SCOPE_INSUFFICIENT', `needs one of ${rule.anyScope.join(' ')}`);
  }
  if (rule.callers.length > 0) {
    const caller = claims.act?.sub ?? claims.client_id;
    const isListed = rule.callers.includes(caller);
    report?.('callers', isListed, `${caller} with ${rule.callers.join(', ')}`);
    if (!isListed) throw new TokenError('CALLER_NOT_ALLOWED', 'the rule does not list the caller');
  }
  if (rule.maxActDepth !== undefined) {
    const actors = depthOf(claims);
    report?.('max_act_depth', actors <= rule.maxActDepth, `${actors} with at most ${rule.maxActDepth}`);
    if (rule.maxActDepth === 0 && claims.act) throw new TokenError('DELEGATION_NOT_ALLOWED', 'the rule takes no delegated tokens');
    if (actors > rule.maxActDepth) throw new TokenError('DELEGATION_TOO_DEEP', `more than ${rule.maxActDepth} actors`);
  }
}

function depthOf(claims: JudgedToken['claims']): number {
  let count = 0;
  for (let actor = claims.act; actor; actor = actor.act) count++;
  return count;
}
