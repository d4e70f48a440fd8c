import type { ExchangeTokenRequest, ExchangeTokenResponse } from '@tokenmesh/proto';
import { actorChain, formatScope, parseScope, type ServiceTokenClaims, TokenError } from '@tokenmesh/token';
import { auditEntry } from '../audit/audit.ts';
import { type AuthenticatedClient, refuseSuspended, withClient } from '../clients/client-authentication.ts';
import type { ClientEvidence } from '../clients/client-evidence.ts';
import { confirmationFor } from '../clients/token-binding.ts';
import type { Workload } from '../config/config.ts';
import type { StoreTransaction } from '../record/store.ts';
import { accessTokenType, idTokenType, isRequestableTokenType, writeAccessToken } from './access-token.ts';
import type { Issuer } from './issuer.ts';
import type { Decision, Policy, PolicyRequest, SubjectClaims } from './policy.ts';
import { beginFamily, openFamily, type ReusedRefreshToken, refreshTokenGrant, rotate } from './refresh-token.ts';
import { type ProvedActor, readActor, readSubject } from './subject-token.ts';

export const clientCredentialsGrant = 'client_credentials';
export const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** Every grant that is offered. */
export const grantTypes: readonly string[] = [clientCredentialsGrant, tokenExchangeGrant, refreshTokenGrant];

/** A token that was issued: the answer, and what to note of it. */
export interface IssuedToken {
  readonly response: ExchangeTokenResponse;
  readonly claims: ServiceTokenClaims;
  /** The rule of the policy that allowed it. */
  readonly rule: string;
  /** Present when nothing was issued: the answer to an identical refresh was given once more. */
  readonly isRepeated?: true;
}

/**
 * Issues an access token for exactly one audience: a workload's own (`client_credentials`), one with which it acts on behalf of the subject of
 * a token that was presented to it (the token-exchange grant), or the next one of a session (`refresh_token`).
 *
 * A delegated token names the client, or whoever an `actor_token` proves, as its current actor, on top of all actors that the subject token
 * had; it lives no longer than the tokens it was got with, belongs to the same call chain (`txn`) and session, and keeps `may_act`. The
 * client's proof is used up, the presented tokens are looked up among the revoked, a refresh token is rotated, and the log position `rn` is read, all in one
 * transaction. Does NOT limit how often a client asks.
 *
 * A refresh token comes with a token where the grant says `refresh`, unless an `actor_token` was used, the subject token belongs to a session
 * already (which goes on in the hands of the one who refreshes it), or the session would end no later than the token.
 *
 * @param evidence What the client proved beside the parameters, for the token to be bound to; absent: nothing.
 * @throws {TokenError} CLIENT_AUTHENTICATION_FAILED, GRANT_TYPE_UNSUPPORTED, REQUEST_INVALID, SUBJECT_TOKEN_INVALID, CLIENT_NOT_ALLOWED (suspended, or
 *   `may_act` names another), TARGET_REFUSED, SCOPE_REFUSED, DELEGATION_NOT_ALLOWED, DELEGATION_TOO_DEEP, GRANT_INVALID, GRANT_REUSED, PROOF_INVALID,
 *   PROOF_REPLAYED.
 * @see RFC 6749 sections 4.4 and 6; RFC 8693 sections 2.1, 2.2.2 and 4; RFC 8705 section 3; RFC 9449 section 5.
 */
export async function exchangeToken(request: ExchangeTokenRequest, issuer: Issuer, evidence: ClientEvidence = {}): Promise<IssuedToken> {
  const asked = readRequest(request);
  return await conclude(
    await withClient(request, issuer, evidence, (transaction, client) => issueToken(asked, client, transaction, issuer)),
  );
}

/** What of a request the policy and the answer depend on. */
export interface AskedToken {
  readonly request: ExchangeTokenRequest;
  readonly audience: string;
  readonly scope: readonly string[];
  readonly requestedTokenType: string;
}

/**
 * Issues inside a transaction that the client was authenticated in. Writes nothing before everything is judged, so that a refusal leaves the
 * presented tokens as they were.
 */
export async function issueToken(
  asked: AskedToken,
  client: AuthenticatedClient,
  transaction: StoreTransaction,
  issuer: Issuer,
): Promise<IssuedToken | ReusedRefreshToken> {
  const { n: rn } = await transaction.head(); // before the look-up of revocations: see StoreTransaction.head
  await refuseSuspended(transaction, client);
  const issue = asked.request.grant_type === refreshTokenGrant ? issueByRefresh : issueAnew;
  const outcome = await issue(asked, client, rn, transaction, issuer);
  if ('claims' in outcome) auditIssuance(outcome, asked.request.grant_type, transaction, issuer);
  return outcome;
}

function auditIssuance({ claims, rule, isRepeated }: IssuedToken, grantType: string, transaction: StoreTransaction, { now }: Issuer): void {
  const { jti, txn, client_id, sub, aud, scope, exp, sid, cnf } = claims;
  const actors = actorChain(claims);
  const bound = cnf && Object.keys(cnf).join(' ');
  const what = {
    ...{ grant_type: grantType, sub, aud, scope, exp: String(exp) },
    ...(actors.length > 0 && { act: actors.join(' ') }),
    ...(sid !== undefined && { sid }),
    ...(bound && { cnf: bound }),
  };
  const kind = isRepeated ? 'token.answer_repeated' : 'token.issued';
  transaction.audit(auditEntry(kind, now, { who: client_id, what, reason: rule, jti, txn }));
}

/** After the commit: a reuse is broadcast before it is answered. */
export async function conclude(outcome: IssuedToken | ReusedRefreshToken): Promise<IssuedToken> {
  if (!('reused' in outcome)) return outcome;
  await outcome.announce();
  throw outcome.reused;
}

async function issueAnew(
  asked: AskedToken,
  client: AuthenticatedClient,
  rn: number,
  transaction: StoreTransaction,
  issuer: Issuer,
): Promise<IssuedToken> {
  const { request, audience, scope, requestedTokenType } = asked;
  const isDelegated = request.grant_type === tokenExchangeGrant;
  const subject = isDelegated ? await readSubject(request, client, transaction, issuer) : undefined;
  const actor = request.actor_token ? await readActor(request, client, transaction, issuer) : undefined;
  const target = { audience, scope, ...(subject?.subjectIssuer !== undefined && { subjectIssuer: subject.subjectIssuer }) };
  const decision = allow(judge(target, subject, client, actor, issuer.policy), client);

  const cnf = confirmationFor(decision.binding, client);
  const iat = Math.floor(issuer.now() / 1000);
  const notAfter = Math.min(subject?.exp ?? Number.POSITIVE_INFINITY, actor?.exp ?? Number.POSITIVE_INFINITY);
  const exp = Math.min(iat + decision.maxLifeSeconds, notAfter);
  // within the tolerance for clocks a subject token is accepted after its exp, but nothing can be issued under it
  if (exp <= iat) throw new TokenError('SUBJECT_TOKEN_INVALID', 'no life is left in the subject token');
  const sessionExp = Math.min(iat + issuer.config.tokens.sessionSeconds, notAfter);
  const beginsSession = decision.refresh && !actor && subject?.sid === undefined && sessionExp > exp;
  const sid = beginsSession ? issuer.newId() : subject?.sid;
  const jti = issuer.newId();
  const claims: ServiceTokenClaims = {
    iss: issuer.config.issuer,
    sub: subject?.sub ?? client.id,
    aud: audience,
    exp,
    iat,
    jti,
    client_id: client.id,
    scope: formatScope(decision.scope),
    txn: subject?.txn ?? jti,
    rn,
    ...(subject && { act: { sub: actor?.sub ?? client.id, ...(subject.act && { act: subject.act }) } }),
    ...(subject?.may_act && { may_act: subject.may_act }),
    ...(sid !== undefined && { sid }),
    ...(cnf && { cnf }),
  };
  const response = await writeAccessToken(claims, requestedTokenType, decision, transaction, issuer);
  if (!beginsSession || sid === undefined) return { response, claims, rule: decision.rule };
  const { subjectIssuer } = target;
  const others = { requestedTokenType, ...(subjectIssuer !== undefined && { subjectIssuer }) };
  const refresh_token = await beginFamily({ ...claims, sid }, sessionExp, others, subject?.handles, transaction);
  return { response: { ...response, refresh_token }, claims, rule: decision.rule };
}

async function issueByRefresh(
  { request, requestedTokenType: asked }: AskedToken,
  client: AuthenticatedClient,
  rn: number,
  transaction: StoreTransaction,
  issuer: Issuer,
): Promise<IssuedToken | ReusedRefreshToken> {
  const family = await openFamily(request, client, transaction, issuer);
  if (!('grant' in family)) return family;
  const { grant, sid } = family;
  const { sub, aud, txn, act, may_act, subjectIssuer } = grant;
  const subject: SubjectClaims | undefined = act && { ...(act.act && { act: act.act }), ...(may_act && { may_act }) };
  const target = { audience: aud, scope: family.scope, ...(subjectIssuer !== undefined && { subjectIssuer }) };
  const decision = allow(judge(target, subject, client, undefined, issuer.policy), client);
  if (!decision.refresh) throw new TokenError('GRANT_INVALID', 'the grant allows no refresh any more');
  const cnf = confirmationFor(decision.binding, client);
  const iat = Math.floor(issuer.now() / 1000);
  const claims: ServiceTokenClaims = {
    iss: issuer.config.issuer,
    sub,
    aud,
    exp: Math.min(iat + decision.maxLifeSeconds, family.exp),
    iat,
    jti: issuer.newId(),
    client_id: client.id,
    scope: formatScope(decision.scope),
    txn,
    rn,
    sid,
    ...(act && { act }),
    ...(may_act && { may_act }),
    ...(cnf && { cnf }),
  };
  const requestedTokenType = request.requested_token_type ? asked : grant.requestedTokenType;
  const response = await writeAccessToken(claims, requestedTokenType, decision, transaction, issuer);
  const rotated = await rotate(family, { response, claims, rule: decision.rule }, request, transaction, issuer);
  if (rotated) return rotated;
  // used on another replica in the meantime: the record now says how
  const outcome = await openFamily(request, client, transaction, issuer);
  if ('grant' in outcome) throw new Error('a refresh token is neither used nor unused');
  return outcome;
}

/** An actor that is not the client needs what the client needs, and `may_act` speaks of the one who acts. */
function judge(
  target: PolicyRequest,
  subject: SubjectClaims | undefined,
  client: Workload,
  actor: ProvedActor | undefined,
  policy: Policy,
): Decision {
  if (!actor || actor.sub === client.id) return policy.decide(target, subject, client);
  const forClient = policy.decide(target, subject && { ...(subject.act && { act: subject.act }) }, client);
  if (!forClient.allowed) return forClient;
  const forActor = policy.decide({ ...target, scope: forClient.scope }, subject, { id: actor.sub });
  if (!forActor.allowed) return forActor;
  const { binding, ...others } = forActor;
  // the token is in the hands of the client: the actor's grant may bind it, and not unbind it
  const strictest = forClient.binding ?? (binding === 'none' ? undefined : binding);
  return {
    ...others,
    ...(strictest && { binding: strictest }),
    rule: `${forClient.rule}; ${forActor.rule}`,
    maxLifeSeconds: Math.min(forClient.maxLifeSeconds, forActor.maxLifeSeconds),
  };
}

function allow(decision: Decision, client: Workload): Extract<Decision, { allowed: true }> {
  if (!decision.allowed) throw new TokenError(decision.reason, `${decision.rule}; asked by ${client.id}`);
  return decision;
}

/**
 * Checks what needs no knowledge of anybody.
 *
 * @throws {TokenError} REQUEST_INVALID, GRANT_TYPE_UNSUPPORTED, TARGET_REFUSED
 */
export function readRequest(request: ExchangeTokenRequest): AskedToken {
  const { grant_type, audience, resource, scope, requested_token_type } = request;
  if (grant_type === '') throw invalid('grant_type is missing');
  if (!grantTypes.includes(grant_type)) {
    throw new TokenError('GRANT_TYPE_UNSUPPORTED', 'only client_credentials, token-exchange and refresh_token are offered');
  }
  const isDelegated = grant_type === tokenExchangeGrant;
  const isRefresh = grant_type === refreshTokenGrant;
  refuseParametersOfOtherGrants(request, isDelegated, isRefresh);
  const requestedTokenType = requested_token_type || accessTokenType;
  if (!isRequestableTokenType(requestedTokenType)) throw invalid('requested_token_type must be access_token, jwt or opaque');
  // a refresh token is for one audience, which need not be named again
  const target = isRefresh && !audience && !resource ? '' : readTarget(audience, resource);
  return { request, audience: target, scope: parseScope(scope), requestedTokenType };
}

function refuseParametersOfOtherGrants(request: ExchangeTokenRequest, isDelegated: boolean, isRefresh: boolean): void {
  const { subject_token, subject_token_type, subject_token_binding, actor_token, actor_token_type, actor_token_binding } = request;
  // a client that believes to act for somebody must not be given a token of its own
  if (!isDelegated && (subject_token || subject_token_type || subject_token_binding))
    throw invalid('a subject token needs the token-exchange grant');
  if (!isDelegated && (actor_token || actor_token_type || actor_token_binding))
    throw invalid('an actor token needs the token-exchange grant');
  if (isDelegated && !subject_token) throw invalid('subject_token is missing');
  if (isDelegated && !isRequestableTokenType(subject_token_type) && subject_token_type !== idTokenType) {
    throw invalid('subject_token_type must be access_token, jwt, opaque or id_token');
  }
  // RFC 8693 section 2.1: actor_token_type goes with actor_token, and only with it
  if (actor_token ? !isRequestableTokenType(actor_token_type) : actor_token_type || actor_token_binding) {
    throw invalid('actor_token_type must be access_token, jwt or opaque, and beside an actor_token');
  }
  if (isRefresh && !request.refresh_token) throw invalid('refresh_token is missing');
  if (!isRefresh && request.refresh_token) throw invalid('refresh_token does not belong to this grant');
}

/** A target is named by `audience`, or as `resource` by the same URI (RFC 8707 section 2). */
function readTarget(audience: string, resource: string): string {
  if (audience && resource) throw invalid('one target at a time: audience or resource');
  if (!audience && !resource) throw invalid('no target: audience or resource');
  if (resource && (!URL.canParse(resource) || resource.includes('#'))) {
    throw new TokenError('TARGET_REFUSED', 'resource is not an absolute URI without fragment');
  }
  return audience || resource;
}

function invalid(what: string): TokenError {
  return new TokenError('REQUEST_INVALID', what);
}
