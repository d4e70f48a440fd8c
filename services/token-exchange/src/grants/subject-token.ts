import type { BindingEvidence, ExchangeTokenRequest } from '@tokenmesh/proto';
import { type Actor, actorChain, type ServiceTokenClaims, TokenError, type VerifiedToken } from '@tokenmesh/token';
import type { Workload } from '../config/config.ts';
import type { Handles } from '../record/revocation-records.ts';
import type { StoreTransaction } from '../record/store.ts';
import { handlesOf, type Issuer } from './issuer.ts';
import { readOwnToken } from './own-token.ts';
import type { SubjectIssuers } from './subject-issuer.ts';

/** Whom a token is asked for on behalf of, as far as it matters for what is issued. */
export interface Subject {
  readonly sub: string;
  readonly exp: number;
  readonly act?: Actor;
  readonly may_act?: Actor;
  /** Absent: the subject token belongs to no chain of calls yet. */
  readonly txn?: string;
  readonly sid?: string;
  /** The issuer of the subject token, when it is not token-exchange itself. */
  readonly subjectIssuer?: string;
  /** By what a revocation would find the subject token. */
  readonly handles?: Handles;
}

/** Who acts when it is not the client itself: proved by a token of its own. */
export interface ProvedActor {
  readonly sub: string;
  readonly exp: number;
  readonly handles: Handles;
}

/**
 * The subject of a token-exchange request, verified and not revoked.
 *
 * A mesh token has to be for the client as its audience, and, when it is bound, come with the evidence that the client verified the binding.
 * A token of another issuer is verified by what is configured for that issuer; whether the client may use it is the policy's to say.
 *
 * @throws {TokenError} SUBJECT_TOKEN_INVALID, whatever is wrong with it (RFC 8693 section 2.2.2); KEYS_UNAVAILABLE when the other issuer's keys
 *   cannot be had.
 */
export async function readSubject(
  request: ExchangeTokenRequest,
  client: Workload,
  transaction: StoreTransaction,
  issuer: Issuer,
): Promise<Subject> {
  const { subject_token, subject_token_binding } = request;
  if (issuer.subjectIssuers?.covers(subject_token)) return await readForeignSubject(subject_token, issuer.subjectIssuers, transaction);
  const { claims, handles } = await readMeshToken('subject', subject_token, [client.id], subject_token_binding, transaction, issuer);
  const { sub, exp, act, may_act, txn, sid } = claims;
  return { sub, exp, txn, handles, ...(act && { act }), ...(may_act && { may_act }), ...(sid !== undefined && { sid }) };
}

async function readForeignSubject(text: string, issuers: SubjectIssuers, transaction: StoreTransaction): Promise<Subject> {
  const { sub, issuer, iat, exp, may_act } = await issuers.verify(text).catch((error: unknown) => {
    // not the client's fault, and worth another try
    throw error instanceof TokenError && error.reason !== 'KEYS_UNAVAILABLE' ? invalid('subject', error.reason) : error;
  });
  // a foreign token has no rn: what was revoked in the second of its issuance or later covers it
  const watermarks = [
    { kind: 'subject', value: sub },
    { kind: 'all', value: '' },
  ] as const;
  if (await transaction.isRevokedSince(watermarks, iat * 1000)) throw invalid('subject', 'its subject was revoked');
  return { sub, exp, subjectIssuer: issuer, ...(may_act && { may_act }) };
}

/**
 * The actor that an `actor_token` proves: the subject of an own, not delegated mesh token, for the client or for token-exchange as its audience.
 *
 * @throws {TokenError} SUBJECT_TOKEN_INVALID: RFC 8693 section 2.2.2 has one answer for both tokens.
 */
export async function readActor(
  request: ExchangeTokenRequest,
  client: Workload,
  transaction: StoreTransaction,
  issuer: Issuer,
): Promise<ProvedActor> {
  const audiences = [client.id, issuer.config.audience];
  const { claims, handles } = await readMeshToken(
    'actor',
    request.actor_token,
    audiences,
    request.actor_token_binding,
    transaction,
    issuer,
  );
  // its own chain would have to be dropped or copied: T-27
  if (claims.act) throw invalid('actor', 'it was itself obtained on behalf of another');
  return { sub: claims.sub, exp: claims.exp, handles };
}

type Role = 'subject' | 'actor';

async function readMeshToken(
  role: Role,
  text: string,
  audiences: readonly string[],
  evidence: BindingEvidence | null,
  transaction: StoreTransaction,
  issuer: Issuer,
): Promise<{ claims: ServiceTokenClaims; handles: Handles }> {
  const token = await readOwnToken(text, transaction, issuer).catch((error: unknown) => {
    throw error instanceof TokenError ? invalid(role, error.reason) : error;
  });
  const { aud, cnf } = token.claims;
  if (!audiences.includes(aud)) throw invalid(role, 'its audience is not the client');
  if (cnf) {
    const matches = (cnf['x5t#S256'] ?? '') === (evidence?.x5t_s256 ?? '') && (cnf.jkt ?? '') === (evidence?.jkt ?? '');
    if (!matches) throw invalid(role, 'it is bound, and the evidence does not match');
  }
  const handles = handlesOf(token);
  await refuseRevoked(role, token, handles, transaction);
  return { claims: token.claims, handles };
}

async function refuseRevoked(role: Role, { claims }: VerifiedToken, handles: Handles, transaction: StoreTransaction): Promise<void> {
  if (await transaction.isRevoked(handles)) throw invalid(role, 'it was revoked');
  const suspended = await transaction.suspendedAmong([claims.sub, claims.client_id, ...actorChain(claims)]);
  if (suspended.length > 0) throw invalid(role, `${suspended.join(', ')} suspended`);
}

function invalid(role: Role, what: string): TokenError {
  return new TokenError('SUBJECT_TOKEN_INVALID', `${role} token refused: ${what}`);
}
