import type { Metadata } from '@grpc/grpc-js';
import { TokenError } from '@tokenmesh/token';

/** Where a credential may stand on a call: `authorization`, or what says the same and HTTP/2 may index, so that it goes whole over a connection once. */
export const credentialKeys = ['authorization', 'tokenmesh-token'] as const;
export type CredentialKey = (typeof credentialKeys)[number];

/** A credential as it was presented: the scheme, the token and what came to prove it, nothing verified. */
export interface PresentedCredential {
  readonly scheme: 'Bearer' | 'DPoP';
  readonly token: string;
  /** The one value of `dpop`. Absent: there was none, or the scheme is not DPoP and asks for none. */
  readonly proof?: string;
}

/** All credential metadata of a call together: a header near 70 KiB would end the connection for everybody on it. */
const maxCredentialBytes = 8192;

// RFC 6750 section 2.1, whole value: a value that holds a comma or a second credential does not match
const credential = /^(Bearer|DPoP) ([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * Reads the credential of a call from `authorization` or `tokenmesh-token`, which are read alike, and from `dpop` where the scheme asks for it (RFC 6750
 * section 2.1, RFC 9449 section 7.1).
 *
 * @returns `undefined` when the call carries none.
 * @throws {TokenError} CREDENTIAL_AMBIGUOUS for more than one value, under one key or both, a value that is not the whole grammar, or more than 8 KiB with the proof.
 *   grpc-js joins or hides repeated headers before anyone sees them, so a joined value counts as several. PROOF_INVALID for more than one
 *   proof (RFC 9449 section 4.3).
 */
export function readCredential(metadata: Metadata): PresentedCredential | undefined {
  const usual = metadata.get('authorization');
  const compact = metadata.get('tokenmesh-token');
  const value = usual[0] ?? compact[0];
  if (value === undefined) return undefined;
  if (usual.length + compact.length > 1) throw new TokenError('CREDENTIAL_AMBIGUOUS', 'several credentials');
  if (typeof value !== 'string' || value.length > maxCredentialBytes) {
    throw new TokenError('CREDENTIAL_AMBIGUOUS', `credential longer than ${maxCredentialBytes} bytes`);
  }
  if (value === lastBearer?.value) return lastBearer.presented;
  const match = credential.exec(value);
  if (!match?.[1] || !match[2]) throw new TokenError('CREDENTIAL_AMBIGUOUS', 'credential does not match the b64token grammar');
  if (match[1].toLowerCase() === 'bearer') {
    lastBearer = { value, presented: { scheme: 'Bearer', token: match[2] } };
    return lastBearer.presented;
  }
  const [proof, second] = metadata.get('dpop');
  if (second !== undefined) throw new TokenError('PROOF_INVALID', 'more than one DPoP proof');
  if (typeof proof !== 'string') return { scheme: 'DPoP', token: match[2] };
  if (value.length + proof.length > maxCredentialBytes) {
    throw new TokenError('CREDENTIAL_AMBIGUOUS', `credential and dpop longer than ${maxCredentialBytes} bytes`);
  }
  return { scheme: 'DPoP', token: match[2], proof };
}

/** The value that was read last, which the next call usually has again: comparing it is cheaper than reading it, and what it says is the same. */
let lastBearer: { readonly value: string; readonly presented: PresentedCredential } | undefined;

/** Whether there is any credential, good or bad. */
export function hasCredential(metadata: Metadata): boolean {
  return credentialKeys.some((key) => metadata.get(key).length > 0);
}

/** Takes the credential of a call out of what its handler sees, wherever it stood. */
export function removeCredential(metadata: Metadata): void {
  for (const key of credentialKeys) metadata.remove(key);
}
