import { randomBytes } from 'node:crypto';
import type { ServedMethods } from '@tokenmesh/proto';
import { createRevocationSet, type TargetKind } from '@tokenmesh/revocation';
import { createMemoryRecord, type MemoryRecord } from '@tokenmesh/revocation/testing';
import {
  type Actor,
  actorChain,
  type Confirmation,
  exportJwk,
  formatScope,
  generateSigningKey,
  importJwks,
  intersectScope,
  type JsonObject,
  type Jwk,
  parseScope,
  type ServiceTokenClaims,
  type SigningKey,
  signServiceToken,
  TokenError,
  type VerifiedToken,
  verifyForAnyAudience,
} from '@tokenmesh/token';
import { subjectTokenOf } from '../incoming/caller.ts';
import type { Introspection } from '../incoming/introspector.ts';
import type { TokenRequest } from '../outgoing/token-source.ts';

/** A permission of one workload to obtain tokens for one audience, in its own name and on behalf of others. */
export interface TestGrant {
  /** The workload that obtains tokens. */
  readonly from: string;
  /** The audience they are for. */
  readonly to: string;
  /** Space-separated. */
  readonly scope: string;
}

/** What a token of a test says. */
export interface TestToken {
  /** The workload that presents it: `client_id`, and `sub` unless that is given. */
  readonly as: string;
  /** The audience. */
  readonly for: string;
  /** Space-separated; default: every scope that the rules of the audience name, as far as a `meshFor` of it serves. */
  readonly scope?: string;
  /** Whom it speaks of; default `as`. */
  readonly sub?: string;
  /** Who acts for the subject, the current actor first; default nobody. */
  readonly act?: readonly string[];
  /** What it is bound to; default nothing. */
  readonly cnf?: Confirmation;
  /** CIDR blocks that the caller must come from; default any. */
  readonly net?: readonly string[];
  /** The session that it belongs to; default none. */
  readonly sid?: string;
  /** The call chain that it belongs to; default a new one. */
  readonly txn?: string;
  /** Seconds from now to its end; default 300. */
  readonly lifeSeconds?: number;
  /** Makes it opaque: it means something to the issuer only, which is asked about it. Default false. */
  readonly opaque?: boolean;
}

/** What is taken back: a kind of target and its value, as the Admin API of token-exchange has them. */
export interface TestRevocation {
  readonly kind: TargetKind;
  /** The jti, sub, client_id, sid, txn, actor's sub, `client_id aud` (one space between), aud or kid; empty for `all`. */
  readonly value: string;
}

/** token-exchange in memory: real keys and real tokens, and the record of revocations. */
export interface MemoryIssuer {
  readonly issuer: string;
  readonly trustDomain: string;
  readonly record: MemoryRecord;
  /** What signs now. */
  readonly key: SigningKey;
  now(): number;
  jwks(): readonly Jwk[];
  /** The claims of a token that `issue` would make. */
  claims(token: TestToken): ServiceTokenClaims;
  issue(token: TestToken): string;
  /**
   * A token for a workload, in its own name or on behalf of a caller (RFC 8693).
   *
   * @throws {TokenError} TARGET_REFUSED, SCOPE_REFUSED, SUBJECT_TOKEN_INVALID, DELEGATION_TOO_DEEP
   */
  exchange(
    workload: string,
    request: TokenRequest,
    cnf: Confirmation | undefined,
  ): { readonly compact: string; readonly claims: ServiceTokenClaims };
  introspect(compact: string): Introspection;
  revoke(target: TestRevocation): void;
  /** A further key, published but not signing yet. */
  prepareKey(): SigningKey;
  activateKey(key: SigningKey): void;
  /** Takes a key out of the published ones and revokes what it signed. */
  withdrawKey(kid: string): void;
  /** Notes what an audience serves: its rules name the scopes that are granted where nobody says which. */
  serves(audience: string, methods: ServedMethods): void;
}

/** What every workload may do at token-exchange, without a grant. */
const feedScope = 'revocation.read';
/** Longest life of a token, and what clocks may differ by. */
const revokedForSeconds = 905;
const defaultLifeSeconds = 300;
const maxActDepth = 5;

export function createMemoryIssuer(options: {
  readonly trustDomain: string;
  readonly grants: readonly TestGrant[] | undefined;
  readonly now: () => number;
}): MemoryIssuer {
  const { trustDomain, grants, now } = options;
  const issuer = `https://token-exchange.${trustDomain}`;
  const tokenExchangeAudience = `spiffe://${trustDomain}/token-exchange`;
  const record = createMemoryRecord({ issuer, mesh: trustDomain, now });
  const revoked = createRevocationSet();
  const published = new Map<string, SigningKey>();
  const opaque = new Map<string, ServiceTokenClaims>();
  const scopesOf = new Map<string, string>();
  let key = prepareKey();

  const seconds = () => Math.floor(now() / 1000);
  const jwks = () => [...published.values()].map(exportJwk);

  function prepareKey(): SigningKey {
    const next = generateSigningKey('ES256', newId().slice(0, 8));
    published.set(next.kid, next);
    return next;
  }

  function claims({ as, scope, sub = as, act = [], lifeSeconds = defaultLifeSeconds, txn, ...token }: TestToken): ServiceTokenClaims {
    const actor = act.reduceRight<Actor | undefined>((inner, sub) => ({ sub, ...(inner && { act: inner }) }), undefined);
    const iat = seconds();
    const jti = newId();
    return {
      ...{ iss: issuer, sub, aud: token.for, iat, exp: iat + lifeSeconds, jti, client_id: as, txn: txn ?? jti, rn: record.head().n },
      scope: scope ?? scopesOf.get(token.for) ?? '',
      ...(actor && { act: actor }),
      ...(token.cnf && { cnf: token.cnf }),
      ...(token.net && { net: token.net }),
      ...(token.sid !== undefined && { sid: token.sid }),
    };
  }

  function write(issued: ServiceTokenClaims, isOpaque: boolean): string {
    if (!isOpaque) return signServiceToken(issued, key);
    const compact = `tm_${randomBytes(32).toString('base64url')}`;
    opaque.set(compact, issued);
    return compact;
  }

  /** @throws {TokenError} The token is none of ours, over, or taken back. */
  function verify(compact: string): VerifiedToken {
    const known = opaque.get(compact);
    const keys = importJwks(jwks());
    const token = known
      ? { claims: known, kid: '', scope: parseScope(known.scope) }
      : // True: this key set answers at once.
        (verifyForAnyAudience(compact, { issuer, keys: { find: (kid) => keys.get(kid) }, now }) as VerifiedToken);
    if (token.claims.exp <= seconds()) throw new TokenError('TOKEN_EXPIRED', 'the token has expired');
    if (revoked.find(token)) throw new TokenError('TOKEN_REVOKED', 'the token was revoked');
    return token;
  }

  function readSubject(workload: string, compact: string): ServiceTokenClaims {
    try {
      const subject = verify(compact).claims;
      if (subject.aud !== workload) throw new TokenError('AUDIENCE_MISMATCH', 'the exchanger is no audience of the subject token');
      return subject;
    } catch {
      throw new TokenError('SUBJECT_TOKEN_INVALID', 'the subject token is not valid for this workload');
    }
  }

  function grantedScope(workload: string, { audience, scope }: TokenRequest): string {
    if (audience === tokenExchangeAudience) return feedScope;
    if (!grants) return scope ?? scopesOf.get(audience) ?? '';
    const grant = grants.find(({ from, to }) => from === workload && to === audience);
    if (!grant) throw new TokenError('TARGET_REFUSED', 'no grant to this target');
    const allowed = parseScope(grant.scope);
    const granted = scope === undefined ? allowed : intersectScope(allowed, parseScope(scope));
    if (granted.length === 0) throw new TokenError('SCOPE_REFUSED', 'the grant has none of it');
    return formatScope(granted);
  }

  return {
    ...{ issuer, trustDomain, record, now, jwks, claims, prepareKey },
    get key() {
      return key;
    },
    issue: (token) => write(claims(token), token.opaque ?? false),
    exchange(workload, request, cnf) {
      const scope = grantedScope(workload, request);
      const subject = request.onBehalfOf && readSubject(workload, subjectTokenOf(request.onBehalfOf).compact);
      const actors = subject ? [workload, ...actorChain(subject)] : [];
      if (actors.length > maxActDepth) throw new TokenError('DELEGATION_TOO_DEEP', `at most ${maxActDepth} actors`);
      const lifeSeconds = Math.min(defaultLifeSeconds, subject ? subject.exp - seconds() : defaultLifeSeconds);
      const issued = claims({
        ...{ as: workload, for: request.audience, scope, act: actors, lifeSeconds },
        ...(subject && { sub: subject.sub, txn: subject.txn, ...(subject.sid !== undefined && { sid: subject.sid }) }),
        ...(cnf && { cnf }),
      });
      return { compact: write(issued, false), claims: issued };
    },
    introspect(compact) {
      try {
        // True: claims hold nothing but JSON values.
        return { active: true, claims: verify(compact).claims as unknown as JsonObject };
      } catch {
        return { active: false };
      }
    },
    revoke(target) {
      const { event } = record.append([{ ...target, exp: seconds() + revokedForSeconds }]);
      revoked.apply(event);
    },
    activateKey(next) {
      key = next;
    },
    withdrawKey(kid) {
      published.delete(kid);
      this.revoke({ kind: 'key', value: kid });
    },
    serves(audience, { methods }) {
      const scopes = methods.flatMap(({ rule }) => [...(rule?.scopes ?? []), ...(rule?.any_scope ?? [])]);
      scopesOf.set(audience, formatScope([...new Set(scopes)].sort()));
    },
  };
}

/** 128 random bits, base64url. */
function newId(): string {
  return randomBytes(16).toString('base64url');
}
