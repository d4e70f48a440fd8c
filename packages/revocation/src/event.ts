import { createHash } from 'node:crypto';
import { type JsonObject, parseJws, type SigningKey, signJws, TokenError, tokenTypes, type VerificationKey } from '@tokenmesh/token';
import type { LogPosition } from './feed-ports.ts';
import { type ExpectedOrigin, epochMember, hashMember, integerMember, openStatement, textMember } from './signed-statement.ts';
import { isTargetKind, isTargetValue, type Target, type TargetKind } from './target.ts';

/** One entry of the revocation log. */
export interface RevocationEvent {
  readonly iss: string;
  /** The mesh: its trust domain. */
  readonly aud: string;
  /** Seconds since epoch. */
  readonly iat: number;
  readonly jti: string;
  /** Which life of the log this is. A restore from backup begins a new one. */
  readonly epoch: string;
  /** Contiguous position in the log. */
  readonly n: number;
  /** Time of the event, milliseconds since epoch. */
  readonly t: number;
  /** H(n-1), base64url. */
  readonly prev: string;
  /** 1 to 500. */
  readonly targets: readonly Target[];
}

/** An event whose signature holds, beside the bytes that were signed. */
export interface SignedEvent {
  readonly event: RevocationEvent;
  /** JWS compact serialization of typ `secevent+jwt`. */
  readonly compact: string;
  /** H(n) = SHA-256(H(n-1) || payload bytes), base64url. */
  readonly hash: string;
}

const eventType = 'https://tokenmesh.dev/secevent/revocation';
const maxTargets = 500;
/** Half of what a NATS server takes by default (1 MiB): room for headers and for a server that was set lower. */
const maxBytes = 512 * 1024;

/** Which claims name a target, as subject identifiers (RFC 9493) whose `format` is the kind. */
const identifierMembers = {
  token: ['jti'],
  subject: ['sub'],
  client: ['client_id'],
  session: ['sid'],
  chain: ['txn'],
  actor: ['sub'],
  grant: ['client_id', 'aud'],
  audience: ['aud'],
  key: ['kid'],
  all: [],
} as const satisfies Record<TargetKind, readonly string[]>;

/**
 * H(0), the `prev` of an epoch's first event, base64url.
 *
 * The first event of an epoch need not have n = 1. An epoch that follows a restore must begin above every position that was ever stamped on
 * a token as `rn`: its first event, an `all` watermark, covers only tokens with `rn < n`.
 */
export function genesisHash(epoch: string): string {
  return createHash('sha256').update(`tokenmesh revocation log ${epoch}`).digest('base64url');
}

/**
 * Signs an event as a Security Event Token. What is handed out was opened again by the rules of `openEvent`.
 * @throws {TokenError} `TOKEN_MALFORMED` when the event breaks a rule: more than 500 targets, more than 512 KiB, a value that its kind cannot
 *   have, a position below 1.
 * @see RFC 8417 section 2; RFC 9493 section 3.
 */
export function signEvent(event: RevocationEvent, key: SigningKey): SignedEvent {
  const { iss, aud, iat, jti, epoch, n, t, prev, targets } = event;
  const payload = { iss, aud, iat, jti, events: { [eventType]: { epoch, n, t, prev, targets: targets.map(formatTarget) } } };
  const compact = signJws(payload, { typ: tokenTypes.event, key });
  return openEvent(compact, new Map([[key.kid, key]]), { issuer: iss, mesh: aud });
}

/**
 * Opens an event: signature, origin and form. Does NOT check its place in the chain: that takes the events before it.
 * @throws {TokenError} `TOKEN_MALFORMED`, `TOKEN_TYPE_REJECTED`, `SIGNING_KEY_UNKNOWN`, `TOKEN_SIGNATURE_INVALID`, `ISSUER_UNTRUSTED`,
 *   `AUDIENCE_MISMATCH`; the first failure wins.
 */
export function openEvent(compact: string, keys: ReadonlyMap<string, VerificationKey>, expected: ExpectedOrigin): SignedEvent {
  const { payload, payloadBytes } = openStatement(compact, keys, { ...expected, typ: tokenTypes.event, maxBytes });
  const body = onlyEvent(payload);
  const n = integerMember(body, 'n');
  if (n < 1) throw new TokenError('TOKEN_MALFORMED', 'The log begins at position 1');
  const prev = hashMember(body, 'prev');
  const event: RevocationEvent = {
    iss: expected.issuer,
    aud: expected.mesh,
    iat: integerMember(payload, 'iat'),
    jti: textMember(payload, 'jti', /^[\x21-\x7e]{1,128}$/),
    epoch: epochMember(body),
    n,
    t: integerMember(body, 't'),
    prev,
    targets: parseTargets(body.targets),
  };
  const hash = createHash('sha256').update(Buffer.from(prev, 'base64url')).update(payloadBytes).digest('base64url');
  return { event, compact, hash };
}

/**
 * The place in a log that a published text claims to have, for whoever looks it up there; `undefined` when it is no event.
 *
 * Does NOT verify anything: whoever can publish can write it.
 */
export function claimedPosition(compact: string): LogPosition | undefined {
  try {
    const body = onlyEvent(parseJws(compact, { typ: tokenTypes.event, maxBytes }).payload);
    return { epoch: epochMember(body), n: integerMember(body, 'n') };
  } catch (error) {
    if (error instanceof TokenError) return undefined;
    throw error;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Signing one event at a time keeps one position per signature. */
function onlyEvent(payload: JsonObject): JsonObject {
  const { events } = payload;
  if (!isObject(events)) throw new TokenError('TOKEN_MALFORMED', '"events" is not an object');
  const body = events[eventType];
  if (Object.keys(events).length !== 1 || !isObject(body)) throw new TokenError('TOKEN_MALFORMED', 'Not exactly one revocation event');
  return body;
}

function formatTarget({ kind, value, exp }: Target): Record<string, string | number> {
  if (!isTargetKind(kind) || !isTargetValue(kind, value)) throw new TokenError('TOKEN_MALFORMED', 'Not a target');
  const members: readonly string[] = identifierMembers[kind];
  const values = members.length === 1 ? [value] : value.split(' ');
  return { format: kind, ...Object.fromEntries(members.map((name, index) => [name, values[index] ?? ''])), exp };
}

function parseTargets(value: unknown): readonly Target[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > maxTargets) {
    throw new TokenError('TOKEN_MALFORMED', `Not 1 to ${maxTargets} targets`);
  }
  return value.map(parseTarget);
}

function parseTarget(target: unknown): Target {
  if (!isObject(target) || !isTargetKind(target.format)) throw new TokenError('TOKEN_MALFORMED', 'A target of no known format');
  const kind = target.format;
  const value = identifierMembers[kind].map((name) => textMember(target, name, /./s)).join(' ');
  if (!isTargetValue(kind, value)) throw new TokenError('TOKEN_MALFORMED', `Not a value of a ${kind} target`);
  return { kind, value, exp: integerMember(target, 'exp') };
}
