import type { Metadata } from '@grpc/grpc-js';
import { TokenError } from '@tokenmesh/token';

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
 * Reads the credential of a call from `authorization`, and from `dpop` where the scheme asks for it (RFC 6750 section 2.1, RFC 9449 section 7.1).
 *
 * @returns `undefined` when the call carries none.
 * @throws {TokenError} CREDENTIAL_AMBIGUOUS for more than one value, a value that is not the whole grammar, or more than 8 KiB with the proof.
 *   grpc-js joins or hides repeated headers before anyone sees them, so a joined value counts as several. PROOF_INVALID for more than one
 *   proof (RFC 9449 section 4.3).
 */
export function readCredential(metadata: Metadata): PresentedCredential | undefined {
  const values = metadata.get('authorization');
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1) throw new TokenError('CREDENTIAL_AMBIGUOUS', 'several authorization values');
  if (typeof value !== 'string' || value.length > maxCredentialBytes) {
    throw new TokenError('CREDENTIAL_AMBIGUOUS', `authorization value longer than ${maxCredentialBytes} bytes`);
  }
  const match = credential.exec(value);
  if (!match?.[1] || !match[2]) throw new TokenError('CREDENTIAL_AMBIGUOUS', 'authorization value does not match the b64token grammar');
  if (match[1].toLowerCase() === 'bearer') return { scheme: 'Bearer', token: match[2] };
  const [proof, second] = metadata.get('dpop');
  if (second !== undefined) throw new TokenError('PROOF_INVALID', 'more than one DPoP proof');
  if (typeof proof !== 'string') return { scheme: 'DPoP', token: match[2] };
  if (value.length + proof.length > maxCredentialBytes) {
    throw new TokenError('CREDENTIAL_AMBIGUOUS', `authorization and dpop longer than ${maxCredentialBytes} bytes`);
  }
  return { scheme: 'DPoP', token: match[2], proof };
}
