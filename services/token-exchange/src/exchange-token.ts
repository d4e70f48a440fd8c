import type { ExchangeTokenRequest, ExchangeTokenResponse } from '@tokenmesh/proto';
import {
  type Actor,
  actorChain,
  formatScope,
  parseScope,
  type ServiceTokenClaims,
  signServiceToken,
  TokenError,
  type VerifiedToken,
} from '@tokenmesh/token';
import { refuseSuspended, withClient } from './client-authentication.ts';
import type { Workload } from './config.ts';
import { handlesOf, type Issuer, verifyOwnToken } from './issuer.ts';
import type { StoreTransaction } from './store.ts';

export const clientCredentialsGrant = 'client_credentials';
export const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** RFC 8693 section 3, as far as a service token can be called so. */
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
const jwtType = 'urn:ietf:params:oauth:token-type:jwt';
const serviceTokenTypes: ReadonlySet<string> = new Set([accessTokenType, jwtType]);

/** A token that was issued: the answer, and what to note of it. */
export interface IssuedToken {
  readonly response: ExchangeTokenResponse;
  readonly claims: ServiceTokenClaims;
  /** The rule of the policy that allowed it. */
  readonly rule: string;
}

/**
 * Issues a service token for exactly one audience: a workload's own (`client_credentials`), or one with which it acts on behalf of the
 * subject of a token that was presented to it (the token-exchange grant).
 *
 * A delegated token names the client as its current actor, on top of all actors that the subject token had; it lives no longer than the
 * subject token, belongs to the same call chain (`txn`) and session, and keeps `may_act`. The client's assertion is used up, the subject
 * token is looked up among the revoked, and the log position `rn` is read, all in one transaction. Does NOT limit how often a client asks.
 *
 * @throws {TokenError} CLIENT_AUTHENTICATION_FAILED, GRANT_TYPE_UNSUPPORTED, REQUEST_INVALID, SUBJECT_TOKEN_INVALID, CLIENT_NOT_ALLOWED (suspended, or
 *   `may_act` names another), TARGET_REFUSED, SCOPE_REFUSED, DELEGATION_NOT_ALLOWED, DELEGATION_TOO_DEEP.
 * @see RFC 6749 section 4.4; RFC 8693 sections 2.1, 2.2.2 and 4.
 */
export async function exchangeToken(request: ExchangeTokenRequest, issuer: Issuer): Promise<IssuedToken> {
  const asked = readRequest(request);
  return await withClient(request, issuer, async (transaction, client) => {
    const subject = asked.isDelegated ? await readSubjectToken(request, client, issuer) : undefined;
    const { n: rn } = await transaction.head(); // before the look-up of revocations: see StoreTransaction.head
    await refuseSuspended(transaction, client);
    if (subject) await refuseRevoked(transaction, subject);

    const decision = issuer.policy.decide(asked, subject?.claims, client);
    if (!decision.allowed) throw new TokenError(decision.reason, `${decision.rule}; asked by ${client.id}`);

    const iat = Math.floor(issuer.now() / 1000);
    const exp = Math.min(iat + decision.maxLifeSeconds, subject?.claims.exp ?? Number.POSITIVE_INFINITY);
    // within the tolerance for clocks a subject token is accepted after its exp, but nothing can be issued under it
    if (exp <= iat) throw new TokenError('SUBJECT_TOKEN_INVALID', 'no life is left in the subject token');
    const claims: ServiceTokenClaims = {
      iss: issuer.config.issuer,
      sub: subject?.claims.sub ?? client.id,
      aud: asked.audience,
      exp,
      iat,
      jti: issuer.newId(),
      client_id: client.id,
      scope: formatScope(decision.scope),
      txn: subject?.claims.txn ?? issuer.newId(),
      rn,
      ...(subject && inheritedClaims(subject.claims, client)),
    };
    return { response: respond(claims, asked.requestedTokenType, issuer), claims, rule: decision.rule };
  });
}

/** What of a request the policy and the answer depend on. */
interface AskedToken {
  readonly isDelegated: boolean;
  readonly audience: string;
  readonly scope: readonly string[];
  readonly requestedTokenType: string;
}

/** Checks what needs no knowledge of anybody. */
function readRequest(request: ExchangeTokenRequest): AskedToken {
  const { grant_type, audience, resource, scope, requested_token_type, subject_token, subject_token_type, subject_token_binding } = request;
  const { actor_token, actor_token_type, refresh_token } = request;
  if (grant_type === '') throw invalid('grant_type is missing');
  if (grant_type !== clientCredentialsGrant && grant_type !== tokenExchangeGrant) {
    throw new TokenError('GRANT_TYPE_UNSUPPORTED', 'only client_credentials and token-exchange are offered');
  }
  const isDelegated = grant_type === tokenExchangeGrant;
  // a client that believes to act for somebody must not be given a token of its own
  if (!isDelegated && (subject_token || subject_token_type || subject_token_binding))
    throw invalid('a subject token needs the token-exchange grant');
  if (isDelegated && !subject_token) throw invalid('subject_token is missing');
  if (isDelegated && !serviceTokenTypes.has(subject_token_type)) throw invalid('subject_token_type must be access_token or jwt');
  if (actor_token || actor_token_type) throw invalid('actor_token is not offered: the client itself is the actor');
  if (refresh_token) throw invalid('refresh_token does not belong to this grant');
  const requestedTokenType = requested_token_type || accessTokenType;
  if (!serviceTokenTypes.has(requestedTokenType)) throw invalid('requested_token_type must be access_token or jwt');
  return { isDelegated, audience: readTarget(audience, resource), scope: parseScope(scope), requestedTokenType };
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

/**
 * The subject token, verified: of this issuer, for the client as its audience, and, when it is bound, with the evidence that the client
 * verified the binding. Whatever is wrong with it is one answer (RFC 8693 section 2.2.2).
 */
async function readSubjectToken(request: ExchangeTokenRequest, client: Workload, issuer: Issuer): Promise<VerifiedToken> {
  const subject = await verifyOwnToken(request.subject_token, issuer).catch((error: unknown) => {
    throw error instanceof TokenError ? invalidSubject(error.reason) : error;
  });
  const { aud, cnf } = subject.claims;
  if (aud !== client.id) throw invalidSubject('its audience is not the client');
  if (cnf) {
    const evidence = request.subject_token_binding;
    const matches = (cnf['x5t#S256'] ?? '') === (evidence?.x5t_s256 ?? '') && (cnf.jkt ?? '') === (evidence?.jkt ?? '');
    if (!matches) throw invalidSubject('it is bound, and the evidence does not match');
  }
  return subject;
}

async function refuseRevoked(transaction: StoreTransaction, subject: VerifiedToken): Promise<void> {
  const { sub, client_id } = subject.claims;
  if (await transaction.isRevoked(handlesOf(subject))) throw invalidSubject('it was revoked');
  const suspended = await transaction.suspendedAmong([sub, client_id, ...actorChain(subject.claims)]);
  if (suspended.length > 0) throw invalidSubject(`${suspended.join(', ')} suspended`);
}

function inheritedClaims({ act, may_act, sid }: ServiceTokenClaims, client: Workload): Partial<ServiceTokenClaims> {
  const actor: Actor = { sub: client.id, ...(act && { act }) };
  return { act: actor, ...(may_act && { may_act }), ...(sid !== undefined && { sid }) };
}

function respond(claims: ServiceTokenClaims, issued_token_type: string, { keys }: Issuer): ExchangeTokenResponse {
  return {
    access_token: signServiceToken(claims, keys.token.signing),
    issued_token_type,
    token_type: 'Bearer',
    expires_in: claims.exp - claims.iat,
    scope: claims.scope,
    refresh_token: '',
  };
}

function invalid(what: string): TokenError {
  return new TokenError('REQUEST_INVALID', what);
}

function invalidSubject(what: string): TokenError {
  return new TokenError('SUBJECT_TOKEN_INVALID', `subject token refused: ${what}`);
}
