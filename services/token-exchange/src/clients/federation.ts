import { isSpiffeId, TokenError } from '@tokenmesh/token';
import { parseUnverifiedJwt, type UnverifiedJwt, verifyIssuerJwt } from './issuer-jwt.ts';
import { createIssuerKeys, type IssuerAlgorithm, type IssuerKeySource } from './issuer-keys.ts';

/** Claims by name, nested as in the token; each leaf must be there and equal, in type and value. */
export interface ClaimMatch {
  readonly [claim: string]: string | number | boolean | ClaimMatch;
}

/** Another issuer whose JWTs prove which workload presents them: a Kubernetes cluster, a SPIFFE trust domain, any OIDC provider. */
export interface Federation {
  /** `iss` of its JWTs. Absent: JWT-SVIDs of this trust domain, which need no `iss`. */
  readonly issuer?: string;
  /** What `aud` must be. */
  readonly audience: string;
  readonly allowOtherAudiences: boolean;
  readonly keys: IssuerKeySource;
  readonly algorithms: readonly IssuerAlgorithm[];
  /** A JWT with a longer life is refused: until it ends it can be used again. */
  readonly maxLifeSeconds: number;
  /** Whom its JWTs are for: the workload whose claims they hold, or, with `spiffe`, the one that `sub` names. */
  readonly workloads: 'spiffe' | readonly { readonly id: string; readonly claims: ClaimMatch }[];
}

/** A workload that another issuer vouches for. */
export interface FederatedWorkload {
  readonly id: string;
  /** To be used once; absent where the JWT is meant to be presented again. */
  readonly singleUse?: { readonly jti: string; readonly exp: number };
}

/** Everybody else who may vouch for a workload. */
export interface Federations {
  /**
   * What a JWT says of itself when it would be one of theirs.
   *
   * @throws {TokenError} As `parseUnverifiedJwt`, unless there are none whose it could be.
   */
  findCovered(compact: string): UnverifiedJwt | undefined;
  /** The workload that a JWT would stand for if it were genuine; `undefined` when it would be refused. Proves nothing. */
  findClaimed(unverified: UnverifiedJwt): string | undefined;
  /**
   * Verifies a JWT of a configured issuer and finds the one workload that it stands for.
   *
   * A JWT with a `jti` and a life of at most 60 s was made for one request and is good for one. The files that a kubelet or a SPIFFE agent writes are
   * made to be presented until they are replaced; what bounds their replay is that they are accepted nowhere but here (`aud`), travel in TLS only, and
   * live no longer than `maxLifeSeconds`. Bind what is issued (`binding`) where that is not enough.
   *
   * @throws {TokenError} As `verifyIssuerJwt`; CLIENT_AUTHENTICATION_FAILED when it lives too long, or is for no workload or for several.
   */
  authenticate(compact: string, unverified: { readonly iss: unknown; readonly sub: unknown }): Promise<FederatedWorkload>;
}

/** RFC 7523bis: what an assertion for one request may live. */
const singleUseSeconds = 60;

/** @throws {TypeError} As `createIssuerKeys`. */
export function createFederations(federations: readonly Federation[], now: () => number): Federations {
  const opened = federations.map((federation) => ({
    federation,
    keys: createIssuerKeys({ source: federation.keys, algorithms: federation.algorithms, now }),
  }));

  const find = ({ iss, sub }: { readonly iss: unknown; readonly sub: unknown }) =>
    opened.find(({ federation }) => federation.issuer !== undefined && federation.issuer === iss) ??
    opened.find(({ federation }) => federation.issuer === undefined && typeof sub === 'string' && isSpiffeId(sub) && iss !== sub);

  return {
    findCovered(compact) {
      if (opened.length === 0) return undefined;
      const unverified = parseUnverifiedJwt(compact);
      return find(unverified) && unverified;
    },
    findClaimed(unverified) {
      const federation = find(unverified)?.federation;
      if (!federation || typeof unverified.sub !== 'string') return undefined;
      try {
        return workloadOf(federation, { ...unverified.claims, sub: unverified.sub });
      } catch (error) {
        if (error instanceof TokenError) return undefined;
        throw error;
      }
    },
    async authenticate(compact, unverified) {
      const found = find(unverified);
      if (!found) throw new TokenError('ISSUER_UNTRUSTED', 'no federation with this issuer');
      const { federation, keys } = found;
      const { algorithms, issuer, audience, allowOtherAudiences } = federation;
      const claims = await verifyIssuerJwt(compact, { keys, algorithms, issuer, audience, allowOtherAudiences, now });
      // without iat its age is unknown, and what is left of it still ends
      const lifeSeconds = claims.exp - (claims.iat ?? now() / 1000);
      if (lifeSeconds > federation.maxLifeSeconds) throw refused('the JWT lives longer than the federation allows');
      const { jti } = claims;
      const isSingleUse = typeof jti === 'string' && jti !== '' && lifeSeconds <= singleUseSeconds;
      if (isSingleUse && jti.length > 128) throw refused('jti is too long');
      return { id: workloadOf(federation, claims), ...(isSingleUse && { singleUse: { jti, exp: Math.ceil(claims.exp) } }) };
    },
  };
}

function workloadOf({ workloads }: Federation, claims: Readonly<Record<string, unknown>> & { readonly sub: string }): string {
  if (workloads === 'spiffe') {
    if (!isSpiffeId(claims.sub)) throw refused('sub is not a SPIFFE ID');
    return claims.sub;
  }
  const ids = new Set(workloads.filter((rule) => matches(rule.claims, claims)).map((rule) => rule.id));
  const [id] = ids;
  if (id === undefined) throw refused('no rule maps the JWT to a workload');
  if (ids.size > 1) throw refused('rules map the JWT to several workloads');
  return id;
}

function matches(expected: ClaimMatch, actual: unknown): boolean {
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return false;
  const members = actual as Readonly<Record<string, unknown>>; // an object that is no array
  return Object.entries(expected).every(([name, value]) => {
    if (!Object.hasOwn(members, name)) return false;
    return typeof value === 'object' ? matches(value, members[name]) : members[name] === value;
  });
}

function refused(what: string): TokenError {
  return new TokenError('CLIENT_AUTHENTICATION_FAILED', what);
}
