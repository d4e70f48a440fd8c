import { intersectScope, type Reason, type ServiceTokenClaims } from '@tokenmesh/token';
import type { Binding } from '../clients/token-binding.ts';

/** A permission of one workload to obtain tokens for one audience. */
export interface Grant {
  /** The workload that obtains tokens. */
  readonly from: string;
  /** The audience they are for. */
  readonly to: string;
  /** What the workload may ask for in its own name, and the most that it may ask for on behalf of others. */
  readonly scopes: readonly string[];
  /** Longest life of a token in seconds; absent: the configured life. */
  readonly maxLifeSeconds?: number;
  /** What the workload may ask for on behalf of a subject; `false`: nothing. */
  readonly delegation: DelegationRule | false;
  /** What the tokens are bound to; absent: to the certificate of a client that authenticated with it, and otherwise to nothing. */
  readonly binding?: Binding;
  /** Issues refresh tokens with what is issued under this grant; default false. */
  readonly refresh?: boolean;
  /** Form of the tokens: the audience's; default `jwt`. */
  readonly format?: TokenFormat;
  /** Present when the audience takes its tokens as `tokenmesh-token` metadata, too. */
  readonly compactMetadata?: true;
}

/** What a workload may ask for on behalf of others. */
export interface DelegationRule {
  readonly scopes: readonly string[];
  /** Issuers besides token-exchange itself whose subjects count; default none. */
  readonly issuers?: readonly string[];
}

/** `jwt`: verified in process. `opaque`: means something to token-exchange only, which is asked about it. */
export type TokenFormat = 'jwt' | 'opaque';

/** What is asked for. */
export interface PolicyRequest {
  readonly audience: string;
  /** Scope tokens asked for; empty: everything that is allowed. */
  readonly scope: readonly string[];
  /** The issuer of the subject token when it is not token-exchange itself. */
  readonly subjectIssuer?: string;
}

/** What of a subject token the policy looks at. */
export type SubjectClaims = Pick<ServiceTokenClaims, 'act' | 'may_act'>;

/** The workload that asks: the actor of a delegated token, the subject of its own. */
export interface RequestingWorkload {
  readonly id: string;
}

/** The verdict, with the rule that gave it, for logs, audit and simulation. */
export type Decision =
  | {
      readonly allowed: true;
      readonly rule: string;
      readonly scope: readonly string[];
      readonly maxLifeSeconds: number;
      /** Present when the grant says what to bind to. */
      readonly binding?: Binding;
      /** Present when a refresh token belongs to it. */
      readonly refresh?: true;
      /** Present when the audience wants another form than `jwt`. */
      readonly format?: TokenFormat;
      /** Present when the audience takes its tokens as `tokenmesh-token` metadata, too. */
      readonly compactMetadata?: true;
    }
  | { readonly allowed: false; readonly rule: string; readonly reason: Reason };

/** What `decide` looks at, in this order. */
export type PolicyCheck = 'grant' | 'may_act' | 'actors' | 'delegation' | 'subject issuer' | 'scope';

/** Told of a check and what it compared, at the moment of the check: the last one that is told of decided. */
export type ReportCheck<Check extends string> = (check: Check, passed: boolean, compared: string) => void;

export interface Policy {
  /**
   * Decides whether a workload gets a token, and how much of it. Pure; what no rule allows is refused.
   *
   * Scope is what was asked for ∩ what the grant allows (∩ what it allows for delegated subjects); nothing left of it is a refusal. A
   * target that does not exist and one that is not granted give the same answer, so that nothing can be enumerated.
   *
   * @param subject Claims of the verified subject token; `undefined` when the workload asks for itself.
   * @param report For those who want to know why, not only what.
   * @returns Refusals: TARGET_REFUSED, SCOPE_REFUSED, DELEGATION_NOT_ALLOWED, DELEGATION_TOO_DEEP, CLIENT_NOT_ALLOWED (`may_act` names somebody
   *   else).
   */
  decide(
    request: PolicyRequest,
    subject: SubjectClaims | undefined,
    actor: RequestingWorkload,
    report?: ReportCheck<PolicyCheck>,
  ): Decision;
  /** Audiences that a workload may obtain tokens for in its own name or for others, sorted. */
  audiencesOf(workload: string): readonly string[];
}

export interface PolicyOptions {
  readonly grants: readonly Grant[];
  /** token-exchange's own identity: every registered workload may read revocations there. */
  readonly ownAudience: string;
  /** Life of a token in seconds where no grant says less. */
  readonly lifeSeconds: number;
  /** Longest chain of actors in a token that is issued; default 5. */
  readonly maxActDepth?: number;
}

/** The scope of token-exchange's own audience that every registered workload has without a grant: no verifier can do without it. */
const feedScope = 'revocation.read';

/** Scopes that token-exchange has as an audience itself. */
export const ownScopes: readonly string[] = ['admin.keys', 'admin.read', 'admin.revoke', feedScope];

/** Compiles grants into a policy. At most one grant per pair of workload and audience: the configuration refuses a second one. */
export function createPolicy(options: PolicyOptions): Policy {
  const { ownAudience, lifeSeconds, maxActDepth = 5 } = options;
  const grants = new Map(options.grants.map((grant) => [pair(grant.from, grant.to), grant]));

  function decide(
    request: PolicyRequest,
    subject: SubjectClaims | undefined,
    actor: RequestingWorkload,
    report?: ReportCheck<PolicyCheck>,
  ): Decision {
    const { audience, scope, subjectIssuer } = request;
    const grant = grants.get(pair(actor.id, audience));
    const isOwn = audience === ownAudience;
    const isTarget = grant !== undefined || isOwn;
    report?.('grant', isTarget, `grants from ${actor.id} with ${audience}`);
    if (!isTarget) return refuse('TARGET_REFUSED', `no grant from ${actor.id} to this target`);

    const rule = grant ? `grant from ${grant.from} to ${grant.to}` : `${feedScope} for every workload`;
    let allowed = sorted([...(grant?.scopes ?? []), ...(isOwn ? [feedScope] : [])]);
    if (subject) {
      const isNamed = !subject.may_act || subject.may_act.sub === actor.id;
      report?.('may_act', isNamed, `${subject.may_act?.sub ?? 'nobody in particular'} with ${actor.id}`);
      if (!isNamed) return refuse('CLIENT_NOT_ALLOWED', 'may_act of the subject token');
      const depth = depthOf(subject) + 1;
      report?.('actors', depth <= maxActDepth, `${depth} with at most ${maxActDepth}`);
      if (depth > maxActDepth) return refuse('DELEGATION_TOO_DEEP', `at most ${maxActDepth} actors`);
      report?.('delegation', Boolean(grant?.delegation), rule);
      if (!grant?.delegation) return refuse('DELEGATION_NOT_ALLOWED', rule);
      if (subjectIssuer !== undefined) {
        const isTrusted = grant.delegation.issuers?.includes(subjectIssuer) ?? false;
        report?.('subject issuer', isTrusted, `${subjectIssuer} with ${grant.delegation.issuers?.join(', ') || 'none'}`);
        if (!isTrusted) return refuse('DELEGATION_NOT_ALLOWED', `${rule}: not for subjects of ${subjectIssuer}`);
      }
      allowed = intersectScope(sorted(grant.scopes), sorted(grant.delegation.scopes));
    }

    const granted = scope.length === 0 ? allowed : intersectScope(allowed, scope);
    report?.('scope', granted.length > 0, `${scope.join(' ') || 'everything'} with ${allowed.join(' ') || 'nothing'}`);
    if (granted.length === 0) return refuse('SCOPE_REFUSED', rule);
    return {
      allowed: true,
      rule,
      scope: granted,
      maxLifeSeconds: Math.min(lifeSeconds, grant?.maxLifeSeconds ?? lifeSeconds),
      ...(grant?.binding && { binding: grant.binding }),
      ...(grant?.refresh && { refresh: true }),
      ...(grant?.format && grant.format !== 'jwt' && { format: grant.format }),
      ...(grant?.compactMetadata && { compactMetadata: true }),
    };
  }

  return {
    decide,
    audiencesOf(workload) {
      const granted = options.grants.filter((grant) => grant.from === workload).map((grant) => grant.to);
      return sorted([...granted, ownAudience]);
    },
  };
}

function refuse(reason: Reason, rule: string): Decision {
  return { allowed: false, rule, reason };
}

function sorted(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}

// a SPIFFE ID holds no space
function pair(from: string, to: string): string {
  return `${from} ${to}`;
}

function depthOf(claims: SubjectClaims): number {
  let depth = 0;
  for (let actor = claims.act; actor; actor = actor.act) depth++;
  return depth;
}
