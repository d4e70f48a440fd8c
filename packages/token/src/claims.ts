import { isIP } from 'node:net';
import type { JsonObject, JsonValue } from './json.ts';
import { isScope } from './scope.ts';
import { ownText, remembering } from './text-memory.ts';
import { TokenError } from './token-error.ts';

/** Who acts, and for whom that one acted before (RFC 8693 section 4.1). Only the outermost counts for access decisions. */
export interface Actor {
  readonly sub: string;
  readonly act?: Actor;
}

/** What a caller must prove besides holding the token (RFC 7800): SHA-256 of a certificate (RFC 8705) or of a key (RFC 9449), base64url. */
export interface Confirmation {
  readonly 'x5t#S256'?: string;
  readonly jkt?: string;
}

/** The claims of a service token: RFC 9068 section 2.2, and ours. Times are integer seconds since epoch. */
export interface ServiceTokenClaims {
  readonly iss: string;
  readonly sub: string;
  /** Exactly one: a token is for one audience. */
  readonly aud: string;
  readonly exp: number;
  readonly iat: number;
  readonly jti: string;
  readonly client_id: string;
  /** Scope tokens with single blanks between (RFC 6749 section 3.3); may be empty. */
  readonly scope: string;
  /** Id of the call chain, inherited by every exchange in it. Of the token that begins a chain it is the `jti`, and is not written (ours). */
  readonly txn: string;
  /** Position of the revocation log at issuance: 0 or more. */
  readonly rn: number;
  readonly nbf?: number;
  readonly act?: Actor;
  readonly cnf?: Confirmation;
  /** Refresh family. */
  readonly sid?: string;
  /** CIDR blocks that the caller must come from, at least one. */
  readonly net?: readonly string[];
  /** Who may act for the subject (RFC 8693 section 4.4). */
  readonly may_act?: Actor;
}

// Identities and scopes of a mesh: thousands of tokens hold the same few.
const sharedText = remembering(4096, (text) => text);

/** The identities that act, the current actor first; empty when the subject calls by itself. */
export function actorChain(claims: { readonly act?: Actor }): readonly string[] {
  const chain: string[] = [];
  for (let actor = claims.act; actor !== undefined; actor = actor.act) chain.push(actor.sub);
  return chain;
}

/**
 * Reads the claims of a service token: every required claim is there, and each claim has its type and grammar. Claims not listed in
 * {@link ServiceTokenClaims} are left out (RFC 7519 section 4); an unknown member of `cnf` is refused, for a binding that is not understood
 * must not become none. A token without `txn` begins a call chain, which has the id of that token.
 *
 * Does NOT compare anything with what a verifier expects, nor look at a clock.
 *
 * @returns A frozen copy, frozen all through.
 * @throws {TokenError} `TOKEN_MALFORMED`, naming the claim, never its value.
 */
export function parseServiceTokenClaims(payload: JsonObject): ServiceTokenClaims {
  const jti = ownText(readId(payload.jti, 'jti', 128));
  const claims: { -readonly [Name in keyof ServiceTokenClaims]: ServiceTokenClaims[Name] } = {
    iss: sharedText(readId(payload.iss, 'iss')),
    sub: sharedText(readText(payload.sub, 'sub')),
    aud: sharedText(readId(payload.aud, 'aud')),
    exp: readCount(payload.exp, 'exp'),
    iat: readCount(payload.iat, 'iat'),
    jti,
    client_id: sharedText(readId(payload.client_id, 'client_id')),
    scope: sharedText(readScope(payload.scope)),
    txn: payload.txn === undefined ? jti : ownText(readId(payload.txn, 'txn', 128)),
    rn: readCount(payload.rn, 'rn'),
  };
  if (claims.exp <= claims.iat) throw malformed('exp', 'must be after iat');
  if (payload.nbf !== undefined) claims.nbf = readCount(payload.nbf, 'nbf');
  if (payload.act !== undefined) claims.act = readActor(payload.act, 'act');
  if (payload.cnf !== undefined) claims.cnf = readConfirmation(payload.cnf);
  if (payload.sid !== undefined) claims.sid = ownText(readId(payload.sid, 'sid', 128));
  if (payload.net !== undefined) claims.net = readNet(payload.net);
  if (payload.may_act !== undefined) claims.may_act = readActor(payload.may_act, 'may_act');
  return Object.freeze(claims);
}

// As long as the longest SPIFFE ID; the size of the token bounds the sum.
const maxIdLength = 2048;
const visibleAscii = /^[!-~]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const controls = /[\u0000-\u001f\u007f-\u009f]/;
const sha256Base64url = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

function readId(value: JsonValue | undefined, name: string, maxLength = maxIdLength): string {
  if (typeof value !== 'string' || value.length > maxLength || !visibleAscii.test(value)) {
    throw malformed(name, `must be 1 to ${maxLength} visible ASCII characters`);
  }
  return value;
}

/** A subject may come from another issuer, so it may hold blanks and any script. */
function readText(value: JsonValue | undefined, name: string): string {
  if (typeof value !== 'string' || value === '' || value.length > maxIdLength || controls.test(value)) {
    throw malformed(name, `must be 1 to ${maxIdLength} characters without control characters`);
  }
  return value;
}

function readCount(value: JsonValue | undefined, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed(name, 'must be an integer of 0 or more');
  return value;
}

function readScope(value: JsonValue | undefined): string {
  if (typeof value !== 'string' || !isScope(value)) throw malformed('scope', 'must be scope tokens with single blanks between');
  return value;
}

function readActor(value: JsonValue, name: string): Actor {
  const { sub, act } = readMembers(value, name, ['sub', 'act']);
  const actor = { sub: sharedText(readText(sub, `${name}.sub`)) };
  return Object.freeze(act === undefined ? actor : { ...actor, act: readActor(act, name) });
}

function readConfirmation(value: JsonValue): Confirmation {
  const members = readMembers(value, 'cnf', ['x5t#S256', 'jkt']);
  const confirmation: { 'x5t#S256'?: string; jkt?: string } = {};
  for (const name of ['x5t#S256', 'jkt'] as const) {
    const hash = members[name];
    if (hash === undefined) continue;
    if (typeof hash !== 'string' || !sha256Base64url.test(hash)) throw malformed('cnf', 'must hold SHA-256 hashes in base64url');
    confirmation[name] = sharedText(hash);
  }
  if (Object.keys(confirmation).length === 0) throw malformed('cnf', 'must hold x5t#S256 or jkt');
  return Object.freeze(confirmation);
}

function readNet(value: JsonValue): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > 64) throw malformed('net', 'must be a list of 1 to 64 CIDR blocks');
  return Object.freeze(value.map(readCidr));
}

function readCidr(value: JsonValue): string {
  const [, address, prefix] = (typeof value === 'string' && /^([0-9A-Fa-f.:]+)\/(0|[1-9][0-9]{0,2})$/.exec(value)) || [];
  const family = address === undefined ? 0 : isIP(address);
  if (family === 0 || Number(prefix) > (family === 4 ? 32 : 128)) throw malformed('net', 'must hold CIDR blocks only');
  // True: it matched.
  return value as string;
}

function readMembers(value: JsonValue, name: string, allowed: readonly string[]): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(name, 'must be an object');
  for (const member of Object.keys(value)) if (!allowed.includes(member)) throw malformed(name, 'has a member that is not understood');
  // True: neither null nor an array, and a JsonValue.
  return value as JsonObject;
}

function malformed(name: string, rule: string): TokenError {
  return new TokenError('TOKEN_MALFORMED', `malformed token: ${name} ${rule}`);
}
