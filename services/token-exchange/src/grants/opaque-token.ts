import { createHash, randomBytes } from 'node:crypto';

/**
 * The `requested_token_type` of an opaque access token. RFC 8693 section 3 has no identifier for one and lets anybody name others by a URI of
 * their own; `access_token` leaves the form to the audience.
 */
export const opaqueTokenType = 'https://tokenmesh.dev/token-type/opaque';

/** Opaque tokens by what they are good for; one never passes for the other. */
export type OpaqueKind = 'access' | 'refresh';

const prefixes: Readonly<Record<OpaqueKind, string>> = { access: 'tm_', refresh: 'tm_r_' };

// 256 bits in base64url are 43 characters: the lengths tell the kinds apart, whatever the random part begins with
const grammars: Readonly<Record<OpaqueKind, RegExp>> = { access: /^tm_[A-Za-z0-9_-]{43}$/, refresh: /^tm_r_[A-Za-z0-9_-]{43}$/ };

/** A new opaque token: 256 random bits, base64url, behind the prefix of its kind. */
export function newOpaqueToken(kind: OpaqueKind): string {
  return prefixes[kind] + randomBytes(32).toString('base64url');
}

/** Whether a text has the form of an opaque token of this kind. Does NOT say that it was ever issued. */
export function isOpaqueToken(text: string, kind: OpaqueKind): boolean {
  return grammars[kind].test(text);
}

/** The name under which an opaque token is on record: SHA-256, base64url. It is looked up, never compared in a loop. */
export function hashOpaqueToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
