import type { Metadata } from '@grpc/grpc-js';
import { TokenError } from '@tokenmesh/token';

/** A credential as it was presented: the scheme and the token, nothing verified. */
export interface PresentedCredential {
  readonly scheme: 'Bearer' | 'DPoP';
  readonly token: string;
}

/** All credential metadata of a call together: a header near 70 KiB would end the connection for everybody on it. */
const maxCredentialBytes = 8192;

// RFC 6750 section 2.1, whole value: a value that holds a comma or a second credential does not match
const credential = /^(Bearer|DPoP) ([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * Reads the credential of a call from `authorization` (RFC 6750 section 2.1, RFC 9449 section 7.1).
 *
 * @returns `undefined` when the call carries none.
 * @throws {TokenError} CREDENTIAL_AMBIGUOUS for more than one value, a value that is not the whole grammar, or one above 8 KiB.
 *   grpc-js joins or hides repeated headers before anyone sees them, so a joined value counts as several.
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
  return { scheme: match[1].toLowerCase() === 'bearer' ? 'Bearer' : 'DPoP', token: match[2] };
}
