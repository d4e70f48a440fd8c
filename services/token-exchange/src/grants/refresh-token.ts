import { createHash, hkdfSync } from 'node:crypto';
import { type Actor, actorChain, hasScope, parseScope, type ServiceTokenClaims, TokenError } from '@tokenmesh/token';
import { asProved } from '../clients/client-authentication.ts';
import type { Workload } from '../config/config.ts';
import { createKeyEncryption } from '../keys/key-encryption.ts';
import { retryWindowMs, type StoredFamily, type StoredRefreshToken } from '../record/grant-records.ts';
import type { Handles } from '../record/revocation-records.ts';
import type { StoreTransaction } from '../record/store.ts';
import type { Acknowledgement } from '../revocation/revocation.ts';
import type { IssuedToken } from './exchange-token.ts';
import { handlesOf, type Issuer } from './issuer.ts';
import { hashOpaqueToken, isOpaqueToken, newOpaqueToken } from './opaque-token.ts';

export const refreshTokenGrant = 'refresh_token';

/** What the access tokens of a family have in common. */
export interface FamilyGrant {
  readonly sub: string;
  readonly aud: string;
  /** The most that any of them may hold. */
  readonly scope: string;
  readonly txn: string;
  readonly act?: Actor;
  readonly may_act?: Actor;
  readonly subjectIssuer?: string;
  readonly requestedTokenType: string;
}

/** A family that is in force, and the token that was presented to continue it. */
export interface OpenFamily {
  readonly sid: string;
  readonly grant: FamilyGrant;
  readonly exp: number;
  /** What the next access token may hold. */
  readonly scope: readonly string[];
  /** The presented token's. */
  readonly hash: string;
}

/** The refusal of a refresh token that was used before: the transaction that found it out revokes its family, and has to be committed first. */
export interface ReusedRefreshToken {
  readonly reused: TokenError;
  /** Broadcasts the revocation; to be called after the commit. */
  readonly announce: () => Promise<Acknowledgement>;
}

/** What of a request the answer to it depends on, the client's proof aside. */
export interface RefreshRequest {
  readonly refresh_token: string;
  readonly scope: string;
  readonly audience: string;
  readonly resource: string;
  readonly requested_token_type: string;
}

/**
 * Finds what a refresh token continues.
 *
 * - Unused, of this client, its family neither over nor revoked: the family.
 * - Used, but this is the same request by the same client within 2 s: the same answer once more; a lost answer is not theft.
 * - Used otherwise: its session is revoked in this transaction, whatever else the family has issued.
 *
 * Changes nothing else: the token is used up by `rotate`.
 *
 * @throws {TokenError} GRANT_INVALID: unknown, of another client, over, or revoked; SCOPE_REFUSED for more than was granted; TARGET_REFUSED for
 *   another audience.
 * @see RFC 6749 section 6; RFC 9700 section 4.14.2.
 */
export async function openFamily(
  request: RefreshRequest,
  client: Workload,
  transaction: StoreTransaction,
  issuer: Issuer,
): Promise<OpenFamily | IssuedToken | ReusedRefreshToken> {
  const token = await findRefreshToken(request.refresh_token, transaction);
  if (!token || token.family.clientId !== client.id) throw invalid('unknown, or of another client');
  const { family } = token;
  const isRevoked = await transaction.isRevoked(family.handles);
  // what revoked the session may have been the reuse of this very token, on another replica, since it was read
  const use = token.use ?? (isRevoked ? (await transaction.findRefreshToken(token.hash))?.use : undefined);
  if (use && (isRevoked || !isRetry(request, use, issuer.now()))) return await revokeReused(family, client, transaction, issuer);
  if (isRevoked) throw invalid('its session was revoked');
  if (family.exp * 1000 <= issuer.now()) throw invalid('its session is over');
  const grant = readGrant(family);
  const suspended = await transaction.suspendedAmong([grant.sub, client.id, ...actorChain(grant)]);
  if (suspended.length > 0) throw invalid(`${suspended.join(', ')} suspended`);
  if (use) return { ...openAnswer(use.sealedAnswer, request.refresh_token, family.sid), isRepeated: true };

  if ((request.audience || request.resource || grant.aud) !== grant.aud) {
    throw new TokenError('TARGET_REFUSED', 'the refresh token is for another audience');
  }
  const granted = parseScope(grant.scope);
  const asked = parseScope(request.scope);
  if (!hasScope(granted, asked)) throw new TokenError('SCOPE_REFUSED', 'more than the refresh token was granted');
  return { sid: family.sid, grant, exp: family.exp, scope: asked.length > 0 ? asked : granted, hash: token.hash };
}

/**
 * Begins a family with its first refresh token.
 *
 * @param claims Of its first access token, `sid` among them.
 * @param subjectHandles What else kills the family: a revocation of the subject token that it was granted on.
 */
export async function beginFamily(
  claims: ServiceTokenClaims & { readonly sid: string },
  exp: number,
  others: Pick<FamilyGrant, 'subjectIssuer' | 'requestedTokenType'>,
  subjectHandles: Handles | undefined,
  transaction: StoreTransaction,
): Promise<string> {
  const { sub, aud, scope, txn, act, may_act, sid } = claims;
  const grant: FamilyGrant = { sub, aud, scope, txn, ...(act && { act }), ...(may_act && { may_act }), ...others };
  const { watermarks } = handlesOf({ claims, kid: '', scope: [] });
  const handles: Handles = {
    // a family outlives its access tokens: revoking one of them alone does not end it
    jti: subjectHandles?.jti ?? '',
    kid: subjectHandles?.kid ?? '',
    watermarks: [...watermarks, ...(subjectHandles?.watermarks ?? [])],
    rn: claims.rn,
  };
  await transaction.addFamily({ sid, clientId: claims.client_id, grant: JSON.stringify(grant), handles, exp });
  return await addToken(sid, transaction);
}

/**
 * Uses the presented token up and gives its successor: one compare-and-set.
 *
 * @param issued The answer without a refresh token; with one it is what a retry gets.
 * @returns The complete answer; `undefined` when another request used the token up in the meantime.
 */
export async function rotate(
  { hash, sid }: OpenFamily,
  issued: IssuedToken,
  request: RefreshRequest,
  transaction: StoreTransaction,
  issuer: Issuer,
): Promise<IssuedToken | undefined> {
  const successor = newOpaqueToken('refresh');
  const answer: IssuedToken = { ...issued, response: { ...issued.response, refresh_token: successor } };
  const sealedAnswer = answerSeal(request.refresh_token).seal(JSON.stringify(answer), sid);
  const isFirst = await transaction.useRefreshToken(hash, { usedAtMs: issuer.now(), digest: digestOf(request), sealedAnswer });
  if (!isFirst) return undefined;
  await transaction.addRefreshToken({ hash: hashOpaqueToken(successor), sid });
  return answer;
}

/** A refresh token and its family, whatever has become of them; `undefined` for what is none, or is forgotten with its family. */
export async function findRefreshToken(
  text: string,
  transaction: StoreTransaction,
): Promise<(StoredRefreshToken & { readonly family: StoredFamily }) | undefined> {
  if (!isOpaqueToken(text, 'refresh')) return undefined;
  const token = await transaction.findRefreshToken(hashOpaqueToken(text));
  const family = token && (await transaction.findFamily(token.sid));
  return token && family && { ...token, family };
}

export function readGrant({ grant }: StoredFamily): FamilyGrant {
  return JSON.parse(grant) as FamilyGrant; // true: beginFamily wrote it
}

async function addToken(sid: string, transaction: StoreTransaction): Promise<string> {
  const token = newOpaqueToken('refresh');
  await transaction.addRefreshToken({ hash: hashOpaqueToken(token), sid });
  return token;
}

function isRetry(request: RefreshRequest, use: NonNullable<StoredRefreshToken['use']>, nowMs: number): boolean {
  return use.sealedAnswer !== '' && use.digest === digestOf(request) && nowMs - use.usedAtMs <= retryWindowMs;
}

async function revokeReused(
  { sid, clientId }: StoredFamily,
  client: Workload,
  transaction: StoreTransaction,
  { revocations, config }: Issuer,
): Promise<ReusedRefreshToken> {
  // the same id for every reuse: what is revoked already is not revoked again
  const announce = await revocations.appendIn(transaction, {
    targets: [{ kind: 'session', value: sid }],
    requestedBy: config.audience,
    requestId: `refresh-token-reused:${sid}`,
    note: `a used refresh token of ${clientId} was presented again`,
  });
  const refusal = new TokenError('GRANT_REUSED', `a used refresh token of session ${sid}, presented by ${client.id}`);
  return { reused: asProved(refusal, client.id), announce };
}

function digestOf({ scope, audience, resource, requested_token_type }: RefreshRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([scope, audience, resource, requested_token_type]))
    .digest('base64url');
}

/** The answer is kept for a retry, and opens only with the token that the retry presents again: the record alone gives nothing away. */
function answerSeal(refreshToken: string) {
  const key = Buffer.from(hkdfSync('sha256', refreshToken, '', 'tokenmesh refresh answer', 32));
  return createKeyEncryption(key.toString('base64'), 'the refresh token');
}

function openAnswer(sealed: string, refreshToken: string, sid: string): IssuedToken {
  return JSON.parse(answerSeal(refreshToken).open(sealed, sid)) as IssuedToken; // true: rotate sealed it
}

function invalid(what: string): TokenError {
  return new TokenError('GRANT_INVALID', `refresh token refused: ${what}`);
}
