import { isDeepStrictEqual } from 'node:util';
import { type Actor, TokenError } from '@tokenmesh/token';
import { parseUnverifiedJwt, verifyIssuerJwt } from '../clients/issuer-jwt.ts';
import { createIssuerKeys, type IssuerAlgorithm, type IssuerKeySource } from '../clients/issuer-keys.ts';

/** Another issuer on behalf of whose subjects workloads may act: the company's OpenID provider, for example. */
export interface SubjectIssuer {
  /** `iss` of its tokens. */
  readonly issuer: string;
  /** What `aud` of its tokens must be, or hold. */
  readonly audience: string;
  readonly keys: IssuerKeySource;
  readonly algorithms: readonly IssuerAlgorithm[];
  /** The claim that names the subject. */
  readonly subjectClaim: string;
  /** Stands before it in `sub`, so that no subject of one issuer passes for a workload, or for a subject of another. */
  readonly subjectPrefix: string;
  /** Claims that have to be there: equal, or, where the token has a list, in the list. */
  readonly requiredClaims: Readonly<Record<string, string | number | boolean>>;
}

/** A subject that another issuer vouches for. Times in seconds since epoch. */
export interface ForeignSubject {
  readonly sub: string;
  readonly issuer: string;
  readonly iat: number;
  readonly exp: number;
  readonly may_act?: Actor;
}

export interface SubjectIssuers {
  /** Whether a text claims to be a token of one of them; nothing of it is verified. */
  covers(text: string): boolean;
  /**
   * Verifies a token of a configured issuer and maps it to a subject. Does NOT look at revocation, nor at who may act for the subject.
   *
   * @throws {TokenError} As `verifyIssuerJwt`; TOKEN_MALFORMED: no `iat`, no subject, a required claim that is not as required, a `cnf`, or an
   *   `act`, for a chain that others wrote is neither vouched for nor dropped.
   */
  verify(compact: string): Promise<ForeignSubject>;
}

/** What issuers call their tokens; an assertion of a client is none. */
const types: ReadonlySet<string> = new Set(['jwt', 'jose', 'at+jwt']);

/** @throws {TypeError} As `createIssuerKeys`. */
export function createSubjectIssuers(issuers: readonly SubjectIssuer[], now: () => number): SubjectIssuers {
  const opened = new Map(
    issuers.map((issuer) => [
      issuer.issuer,
      { issuer, keys: createIssuerKeys({ source: issuer.keys, algorithms: issuer.algorithms, now }) },
    ]),
  );
  const find = (text: string) => {
    const { iss } = parseUnverifiedJwt(text);
    return typeof iss === 'string' ? opened.get(iss) : undefined;
  };
  return {
    covers(text) {
      try {
        return find(text) !== undefined;
      } catch (error) {
        if (error instanceof TokenError) return false;
        throw error;
      }
    },
    async verify(compact) {
      const found = find(compact);
      if (!found) throw new TokenError('ISSUER_UNTRUSTED', 'no such issuer is configured');
      const { issuer, audience, algorithms } = found.issuer;
      const options = { keys: found.keys, algorithms, issuer, audience, allowOtherAudiences: true, types, now };
      return toSubject(await verifyIssuerJwt(compact, options), found.issuer);
    },
  };
}

function toSubject(claims: Readonly<Record<string, unknown>> & { readonly exp: number }, issuer: SubjectIssuer): ForeignSubject {
  const { exp, iat, act, may_act, cnf } = claims;
  const name = claims[issuer.subjectClaim];
  if (typeof name !== 'string' || name === '') throw refused(`${issuer.subjectClaim} is missing or no text`);
  if (typeof iat !== 'number') throw refused('iat is missing');
  if (act !== undefined) throw refused('it has an act, which cannot be vouched for');
  if (cnf !== undefined) throw refused('it is bound, and nobody here could have verified that');
  for (const [claim, value] of Object.entries(issuer.requiredClaims)) {
    const given = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
    if (given !== value && !(Array.isArray(given) && given.includes(value))) throw refused(`${claim} is not as required`);
  }
  const actor = may_act === undefined ? undefined : readMayAct(may_act);
  return {
    sub: issuer.subjectPrefix + name,
    issuer: issuer.issuer,
    iat: Math.floor(iat),
    exp: Math.floor(exp),
    ...(actor && { may_act: actor }),
  };
}

/** RFC 8693 section 4.4; members other than `sub` narrow it down in ways that are not understood here. */
function readMayAct(value: unknown): Actor {
  const sub = typeof value === 'object' && value !== null && 'sub' in value ? value.sub : undefined;
  if (typeof sub !== 'string' || sub === '' || !isDeepStrictEqual(value, { sub })) throw refused('may_act is not a mapping of sub alone');
  return { sub };
}

function refused(what: string): TokenError {
  return new TokenError('TOKEN_MALFORMED', what);
}
