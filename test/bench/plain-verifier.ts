import { type KeyObject, verify } from 'node:crypto';

/**
 * What a plain subscription does with a message before its arrival counts.
 *
 * - `note`: nothing.
 * - `check`: verifies its signature.
 * - `revoke`: verifies its signature, reads it, and remembers the token that it revokes.
 */
export type PlainWork = 'note' | 'check' | 'revoke';

/** Takes a message; returns whether it counts for the token that is awaited. */
export type PlainVerifier = (data: Uint8Array, awaited: string) => boolean;

/** The one event of a text that the least issuer signed, as far as its verifiers read it. */
interface LeastEvent {
  readonly events: Readonly<Record<string, { readonly targets: readonly { readonly jti: string }[] }>>;
}

const dot = '.'.charCodeAt(0);

/**
 * One verifier, which has no log, no position and no rule about the form of a message: three parts with dots between them, of which the second is JSON and
 * the third a signature (DER) over what stands before it, each in base64url.
 *
 * @param onForged Told of each message that the key did not sign.
 */
export function createPlainVerifier(work: PlainWork, key: KeyObject | undefined, onForged: () => void): PlainVerifier {
  if (work === 'note' || !key) return () => true;
  const revoked = new Set<string>();
  return (data, awaited) => {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const end = bytes.lastIndexOf(dot);
    if (!verify('sha256', bytes.subarray(0, end), key, Buffer.from(bytes.toString('latin1', end + 1), 'base64url'))) {
      onForged();
      return false;
    }
    if (work === 'check') return true;
    const payload = Buffer.from(bytes.toString('latin1', bytes.indexOf(dot) + 1, end), 'base64url').toString();
    // the cast holds: the key signs nothing else
    for (const { targets } of Object.values((JSON.parse(payload) as LeastEvent).events)) {
      for (const { jti } of targets) revoked.add(jti);
    }
    return revoked.has(awaited);
  };
}
