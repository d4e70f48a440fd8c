import { type JsonObject, type SigningKey, signJws, TokenError, tokenTypes, type VerificationKey } from '@tokenmesh/token';
import { type ExpectedOrigin, epochMember, hashMember, integerMember, openStatement, textMember } from './signed-statement.ts';

/** The issuer's word that at time `t` the log had at least `n` events, and which. */
export interface Checkpoint {
  readonly iss: string;
  /** The mesh: its trust domain. */
  readonly aud: string;
  readonly epoch: string;
  readonly n: number;
  /** H(n), base64url. */
  readonly h: string;
  /** Milliseconds since epoch, read BEFORE `n`. */
  readonly t: number;
  /** S, the age in milliseconds at which a verifier's knowledge counts as stale: 100 to 3 600 000. */
  readonly s: number;
  /**
   * Version of the issuer's keys, of those that sign tokens and of the feed's: grows with every change of them. Says that there is something to ask for, and
   * nothing about the log; absent: nothing is said.
   */
  readonly keysVersion?: number;
  /** Present when it answers one verifier's question, and then what that verifier sent. */
  readonly nonce?: string;
}

const maxBytes = 4_096;

/**
 * Signs a checkpoint as a JWS of typ `checkpoint+jwt`.
 * @throws {TokenError} `TOKEN_MALFORMED` when a member is out of its range.
 */
export function signCheckpoint(checkpoint: Checkpoint, key: SigningKey): string {
  const { iss, aud, epoch, n, h, t, s, keysVersion, nonce } = checkpoint;
  const payload = {
    ...{ iss, aud, epoch, n, h, t, s },
    ...(keysVersion === undefined ? {} : { keys_version: keysVersion }),
    ...(nonce === undefined ? {} : { nonce }),
  };
  const compact = signJws(payload, { typ: tokenTypes.checkpoint, key });
  openCheckpoint(compact, new Map([[key.kid, key]]), { issuer: iss, mesh: aud });
  return compact;
}

/**
 * Opens a checkpoint: signature, origin and form. Does NOT say how old it is, nor whether its nonce was asked for.
 * @throws {TokenError} As `openEvent`.
 */
export function openCheckpoint(compact: string, keys: ReadonlyMap<string, VerificationKey>, expected: ExpectedOrigin): Checkpoint {
  const { payload } = openStatement(compact, keys, { ...expected, typ: tokenTypes.checkpoint, maxBytes });
  return {
    ...logHead(payload, expected),
    ...(payload.keys_version === undefined ? {} : { keysVersion: integerMember(payload, 'keys_version') }),
    ...(payload.nonce === undefined ? {} : { nonce: textMember(payload, 'nonce', /^[\x21-\x7e]{1,128}$/) }),
  };
}

/** What a checkpoint and the head of a snapshot have in common. */
export function logHead(payload: JsonObject, { issuer, mesh }: ExpectedOrigin): Omit<Checkpoint, 'keysVersion' | 'nonce'> {
  const s = integerMember(payload, 's');
  if (s < 100 || s > 3_600_000) throw new TokenError('TOKEN_MALFORMED', '"s" is not between 100 ms and an hour');
  return {
    iss: issuer,
    aud: mesh,
    epoch: epochMember(payload),
    n: integerMember(payload, 'n'),
    h: hashMember(payload, 'h'),
    t: integerMember(payload, 't'),
    s,
  };
}
