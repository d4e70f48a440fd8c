import { type DpopNonces, type VerifiedToken, verifyForAnyAudience } from '@tokenmesh/token';
import type { Federations } from '../clients/federation.ts';
import type { Config } from '../config/config.ts';
import type { KeyRing } from '../keys/keys.ts';
import type { Handles } from '../record/revocation-records.ts';
import type { Store } from '../record/store.ts';
import type { RevocationLog } from '../revocation/revocation-log.ts';
import type { Policy } from './policy.ts';
import type { SubjectIssuers } from './subject-issuer.ts';

/** What the operations of `TokenExchange` work with. */
export interface Issuer {
  readonly config: Pick<Config, 'issuer' | 'audience' | 'workloads' | 'tokens' | 'authority' | 'development'>;
  /** Whoever else may vouch for workloads; absent: nobody. */
  readonly federations?: Federations;
  /** On behalf of whose subjects workloads may act; absent: nobody's but its own. */
  readonly subjectIssuers?: SubjectIssuers;
  /** What DPoP proofs have to hold; absent: nothing. */
  readonly dpopNonces?: DpopNonces;
  readonly policy: Policy;
  readonly keys: KeyRing;
  readonly store: Store;
  readonly revocations: RevocationLog;
  readonly now: () => number;
  /** Ids of tokens, chains and sessions: 22 characters of base64url that nobody can guess. */
  readonly newId: () => string;
}

/**
 * Verifies a token of this issuer, whoever it is for. Does NOT look at revocation: that is asked inside the transaction that acts on it.
 *
 * @throws {TokenError} As `verifyServiceToken`.
 */
export async function verifyOwnToken(compact: string, { config, keys, now }: Issuer): Promise<VerifiedToken> {
  // awaited although the keys are local: the types leave room for key sets that have to ask
  return await verifyForAnyAudience(compact, {
    issuer: config.issuer,
    keys: keys.token,
    now,
    maxLifeSeconds: config.tokens.ceilingSeconds,
  });
}

/** By what a revocation would find this token: the same handles that every verifier looks up. */
export function handlesOf({ claims, kid }: VerifiedToken): Handles {
  const { jti, sub, client_id, sid, txn, aud, act, rn } = claims;
  const watermarks: Handles['watermarks'][number][] = [
    { kind: 'all', value: '' },
    { kind: 'subject', value: sub },
    { kind: 'client', value: client_id },
    { kind: 'chain', value: txn },
    { kind: 'audience', value: aud },
    { kind: 'grant', value: `${client_id} ${aud}` },
  ];
  if (sid !== undefined) watermarks.push({ kind: 'session', value: sid });
  for (let actor = act; actor; actor = actor.act) watermarks.push({ kind: 'actor', value: actor.sub });
  return { jti, kid, watermarks, rn };
}
