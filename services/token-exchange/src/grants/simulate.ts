import { checkRule, type Rule, type RuleCheck, readRule } from '@tokenmesh/interceptor';
import type { SimulateRequest, SimulateResponse } from '@tokenmesh/proto';
import { type Actor, formatScope, intersectScope, type Reason, TokenError } from '@tokenmesh/token';
import type { Config } from '../config/config.ts';
import { accessTokenType } from './access-token.ts';
import { type AskedToken, readRequest } from './exchange-token.ts';
import type { Decision, Grant, Policy, PolicyCheck, SubjectClaims } from './policy.ts';
import { refreshTokenGrant } from './refresh-token.ts';

export interface SimulationState {
  readonly config: Pick<Config, 'workloads' | 'grants' | 'subjectIssuers'>;
  readonly policy: Policy;
  /** Identities of the workloads that are suspended. */
  readonly suspended: ReadonlySet<string>;
}

type CheckName = 'request' | 'client' | 'suspension' | PolicyCheck | 'binding' | RuleCheck;
type Check = { readonly name: CheckName; readonly passed: boolean; readonly compared: string };
type Allowed = Extract<Decision, { allowed: true }>;

/** An end of the simulation before its last check. */
class Refused extends Error {
  override readonly name = 'Refused';
  readonly reason: Reason;
  readonly rule: string;

  constructor(reason: Reason, rule = '') {
    super(reason);
    this.reason = reason;
    this.rule = rule;
  }
}

/**
 * What would become of a request for a token, and of a call with that token: by the same `decide` and the same `checkRule` that judge real ones, check by
 * check, with the one change that lets the failed check pass. Pure.
 *
 * Takes for granted what needs secrets or tokens: that the client authenticates, that a subject token is valid and for the client, and that proofs for a
 * binding are there. Does NOT simulate refreshes and actor tokens.
 *
 * @throws {TokenError} REQUEST_INVALID when the question itself makes no sense: another grant, a subject where none belongs, a rule that cannot be read.
 */
export function simulate(question: SimulateRequest, state: SimulationState): SimulateResponse {
  const { client_id: client, subject, call } = question;
  const rule = call && readCallRule(call.method, call.rule);
  const asked = readQuestion(question);
  const isDelegated = subject !== null;
  const checks: Check[] = [];
  const report = (name: CheckName, passed: boolean, compared: string) => void checks.push({ name, passed, compared });
  const require = (name: CheckName, passed: boolean, compared: string, reason: Reason) => {
    report(name, passed, compared);
    if (!passed) throw new Refused(reason);
  };
  let issued: Allowed | undefined;

  try {
    if (asked instanceof TokenError) {
      report('request', false, asked.message);
      throw asked;
    }
    require('client', state.config.workloads.has(client), `${client} with the registered workloads`, 'CLIENT_AUTHENTICATION_FAILED');
    require('suspension', !state.suspended.has(client), `${client} with the suspended workloads`, 'CLIENT_NOT_ALLOWED');
    if (subject) {
      const suspended = [subject.sub, ...subject.actors].filter((one) => state.suspended.has(one));
      const compared = `${[subject.sub, ...subject.actors].join(', ')} with the suspended workloads`;
      require('suspension', suspended.length === 0, compared, 'SUBJECT_TOKEN_INVALID');
      if (subject.issuer) {
        const trusted = state.config.subjectIssuers?.map(({ issuer }) => issuer) ?? [];
        const isTrusted = trusted.includes(subject.issuer);
        require('subject issuer', isTrusted, `${subject.issuer} with ${trusted.join(', ') || 'none'}`, 'SUBJECT_TOKEN_INVALID');
      }
    }
    const claims = subject ? claimsOf(subject) : undefined;
    const target = { audience: asked.audience, scope: asked.scope, ...(subject?.issuer && { subjectIssuer: subject.issuer }) };
    const decision = state.policy.decide(target, claims, { id: client }, report);
    if (!decision.allowed) throw new Refused(decision.reason, decision.rule);
    issued = decision;
    if (rule) checkCall(rule, decision, { client_id: client, ...(claims && { act: { sub: client, ...claims } }) }, report, require);
    return answer(checks, issued);
  } catch (error) {
    const refused = error instanceof TokenError ? new Refused(error.reason, issued?.rule) : error;
    if (!(refused instanceof Refused)) throw error;
    const failed = checks.at(-1);
    if (!failed || failed.passed) throw error; // every check reports before it refuses
    const needed =
      rule && issued ? neededScope(rule, failed.name, state, client, question.audience) : asked instanceof TokenError ? [] : asked.scope;
    return {
      ...answer(checks, issued),
      allowed: false,
      reason: refused.reason,
      rule: issued?.rule ?? refused.rule,
      change: changeFor(failed, { question, state, needed, isDelegated, isIssued: issued !== undefined }),
    };
  }
}

function answer(checks: readonly Check[], issued: Allowed | undefined): SimulateResponse {
  return {
    allowed: true,
    checks: [...checks],
    change: '',
    reason: '',
    rule: issued?.rule ?? '',
    scope: issued ? formatScope(issued.scope) : '',
    max_life_seconds: issued?.maxLifeSeconds ?? 0,
  };
}

/** The request as `readRequest` reads a real one; its refusal is the first check. */
function readQuestion({ client_id, grant_type, audience, scope, subject }: SimulateRequest): AskedToken | TokenError {
  if (grant_type === refreshTokenGrant) throw invalid('a refresh is judged by what is in the record: simulate the grant that began it');
  if (subject && !subject.sub) throw invalid('sub of the subject is missing');
  const parameters = {
    ...{ client_id, grant_type, audience, scope },
    ...{ client_assertion_type: '', client_assertion: '', client_secret: '', resource: '', requested_token_type: '', refresh_token: '' },
    // stands for the token that the claims describe
    ...{ subject_token: subject ? 'described' : '', subject_token_type: subject ? accessTokenType : '', subject_token_binding: null },
    ...{ actor_token: '', actor_token_type: '', actor_token_binding: null },
  };
  try {
    return readRequest(parameters);
  } catch (error) {
    if (error instanceof TokenError) return error;
    throw error;
  }
}

function readCallRule(method: string, rule: NonNullable<SimulateRequest['call']>['rule']): Rule {
  if (!rule) throw invalid('rule of the call is missing');
  // on the wire a message says which of its optional members are set; an option in a .proto file does not
  const members = Object.entries(rule).filter(([name]) => !name.startsWith('_'));
  try {
    return readRule(method, Object.fromEntries(members));
  } catch (error) {
    throw error instanceof TypeError ? invalid(error.message) : error;
  }
}

function claimsOf({ actors, may_act }: NonNullable<SimulateRequest['subject']>): SubjectClaims {
  const act = actors.reduceRight<Actor | undefined>((inner, sub) => ({ sub, ...(inner && { act: inner }) }), undefined);
  return { ...(act && { act }), ...(may_act && { may_act: { sub: may_act } }) };
}

function checkCall(
  rule: Rule,
  { scope, binding }: Allowed,
  claims: { readonly client_id: string; readonly act?: Actor },
  report: (name: RuleCheck, passed: boolean, compared: string) => void,
  require: (name: CheckName, passed: boolean, compared: string, reason: Reason) => void,
): void {
  if (rule.requireBinding) {
    const isBound = binding === 'certificate' || binding === 'dpop';
    require('binding', isBound, `${binding ?? 'what the client proves'} with a bound token`, 'BINDING_MISMATCH');
  }
  checkRule({ claims, scope }, rule, report);
}

/** The scope that the failed check of a rule needs; of several that would do, one that the client has already. */
function neededScope(rule: Rule, failed: CheckName, { config }: SimulationState, client: string, audience: string): readonly string[] {
  if (failed === 'scopes') return rule.scopes;
  if (failed !== 'any_scope') return [];
  const granted = findGrant(config.grants, client, audience)?.scopes ?? [];
  return (intersectScope(rule.anyScope, granted).length > 0 ? intersectScope(rule.anyScope, granted) : rule.anyScope).slice(0, 1);
}

interface Failure {
  readonly question: SimulateRequest;
  readonly state: SimulationState;
  readonly needed: readonly string[];
  readonly isDelegated: boolean;
  readonly isIssued: boolean;
}

function changeFor(failed: Check, { question, state, needed, isDelegated, isIssued }: Failure): string {
  const { client_id: client, audience, subject, call } = question;
  const grant = findGrant(state.config.grants, client, audience);
  const theGrant = `the grant from ${client} to ${audience}`;
  const wanted = needed.length > 0 ? `scope ${formatScope(needed)}` : 'the scopes that it needs';
  const delegating = isDelegated ? ' and delegation for the same' : '';
  const newGrant = `add a grant from ${client} to ${audience} with ${wanted}${delegating}`;
  switch (failed.name) {
    case 'request':
      return `correct the request: ${failed.compared}`;
    case 'client':
      return `register ${client} under workloads`;
    case 'suspension':
      return `resume ${[client, ...(subject ? [subject.sub, ...subject.actors] : [])].filter((one) => state.suspended.has(one)).join(', ')}`;
    case 'grant':
      return newGrant;
    case 'may_act':
      return `let ${subject?.may_act} ask, whom may_act of the subject token names`;
    case 'actors':
      return `shorten the chain of calls by ${subject?.actors.length ? 'at least one actor' : 'its actor'}`;
    case 'delegation':
      return grant ? `add delegation with ${wanted} to ${theGrant}${alsoToGrant(grant, needed)}` : newGrant;
    case 'subject issuer':
      return state.config.subjectIssuers?.some(({ issuer }) => issuer === subject?.issuer)
        ? `add the issuer ${subject?.issuer} to the delegation of ${theGrant}`
        : `configure ${subject?.issuer} under subject_issuers`;
    case 'scope':
    case 'scopes':
    case 'any_scope':
      return grant ? changeOfScope(grant, question, needed, isDelegated, isIssued) : newGrant;
    case 'binding':
      return `set binding: dpop or binding: certificate in ${theGrant}`;
    case 'callers':
      return `add ${client} to callers in the rule of ${call?.method}`;
    case 'max_act_depth':
      return `raise max_act_depth to ${(subject?.actors.length ?? 0) + 1} in the rule of ${call?.method}`;
  }
}

/** What is delegated is in the grant as well. */
function alsoToGrant({ scopes }: Grant, needed: readonly string[]): string {
  const lacking = needed.filter((one) => !scopes.includes(one));
  return lacking.length > 0 ? `, and scope ${formatScope(lacking)} to the grant itself` : '';
}

/** What is missing may be missing in the grant, in its delegation, and in what was asked for. */
function changeOfScope(
  { from, to, scopes, delegation }: Grant,
  { scope }: SimulateRequest,
  needed: readonly string[],
  isDelegated: boolean,
  isIssued: boolean,
): string {
  const lacking = (held: readonly string[]) => formatScope(needed.filter((one) => !held.includes(one)));
  const [inGrant, inDelegation] = [lacking(scopes), isDelegated ? lacking(delegation ? delegation.scopes : []) : ''];
  const notAsked = isIssued && scope !== '' ? lacking(scope.split(' ')) : '';
  const changes = [
    ...(inGrant ? [`add scope ${inGrant} to the grant from ${from} to ${to}`] : []),
    ...(inDelegation ? [`add scope ${inDelegation} to the delegation of the grant from ${from} to ${to}`] : []),
    ...(notAsked ? [`ask for scope ${notAsked}`] : []),
  ];
  return changes.join(', and ') || `add a scope to the grant from ${from} to ${to}${isDelegated ? ' and to its delegation' : ''}`;
}

function findGrant(grants: readonly Grant[], from: string, to: string): Grant | undefined {
  return grants.find((grant) => grant.from === from && grant.to === to);
}

function invalid(what: string): TokenError {
  return new TokenError('REQUEST_INVALID', what);
}
