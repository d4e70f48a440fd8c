import { type Confirmation, type DpopNonces, TokenError, type VerifiedDpopProof, verifyDpopProof } from '@tokenmesh/token';
import type { StoreTransaction } from '../record/store.ts';
import type { AuthenticatedClient } from './client-authentication.ts';
import type { ClientEvidence } from './client-evidence.ts';

/**
 * What a grant says of the tokens issued under it. `certificate`: bound to the client's certificate; `dpop`: bound to the key of a DPoP proof; without it
 * there is no token. `none`: not bound to the certificate, not even of a client that authenticated with it.
 */
export type Binding = 'certificate' | 'dpop' | 'none';

/**
 * Verifies the DPoP proof of a token request; `undefined` when there is none. Does NOT look whether it was used before.
 *
 * @param nonces What it has to hold; absent: nothing.
 * @throws {TokenError} PROOF_INVALID; PROOF_NONCE_REQUIRED for a proof that is right but for its nonce.
 * @see RFC 9449 sections 5 and 8
 */
export function verifyRequestProof(
  { dpop }: ClientEvidence,
  nonces: DpopNonces | undefined,
  now: () => number,
): VerifiedDpopProof | undefined {
  return dpop && verifyDpopProof(dpop.proof, { htm: 'POST', htu: dpop.htu, nonce: nonces?.accepted(), now });
}

/**
 * Uses a proof up: whoever reads it on the way cannot have a token bound with it again.
 *
 * @throws {TokenError} PROOF_REPLAYED
 * @see RFC 9449 section 11.1
 */
export async function useProof(transaction: StoreTransaction, { jkt, jti, exp }: VerifiedDpopProof): Promise<void> {
  if (!(await transaction.useAssertionId(`dpop ${jkt}`, jti, exp)))
    throw new TokenError('PROOF_REPLAYED', 'the DPoP proof was used before');
}

/**
 * What a token is going to be bound to: the key of the proof when the client sent one, for that asks for it; the certificate when the grant says so, or when
 * the client authenticated with it and the grant does not say otherwise. May be both.
 *
 * @param binding Of the grant; absent: it says nothing.
 * @throws {TokenError} REQUEST_INVALID when the grant binds to a certificate and there is none; PROOF_INVALID when it binds to a proof and there is none.
 * @see RFC 8705 section 3; RFC 9449 section 6
 */
export function confirmationFor(
  binding: Binding | undefined,
  { certificate, authenticatedBy, proof }: Pick<AuthenticatedClient, 'certificate' | 'authenticatedBy' | 'proof'>,
): Confirmation | undefined {
  if (binding === 'certificate' && !certificate)
    throw new TokenError('REQUEST_INVALID', 'the grant binds tokens to a certificate, and there is none');
  if (binding === 'dpop' && !proof) throw new TokenError('PROOF_INVALID', 'the grant binds tokens to a DPoP key, and there is no proof');
  const toCertificate = binding === 'certificate' || (binding !== 'none' && authenticatedBy === 'tls_client_auth');
  if (!proof && !(toCertificate && certificate)) return undefined;
  return {
    ...(toCertificate && certificate && { 'x5t#S256': certificate.thumbprint }),
    ...(proof && { jkt: proof.jkt }),
  };
}
