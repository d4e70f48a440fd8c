import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorInfo, googleRpc, type RetryInfo } from '@tokenmesh/proto';
import { type Reason, reasons, TokenError } from '@tokenmesh/token';

const domain = 'tokenmesh.dev';
const typePrefix = 'type.googleapis.com/';
const detailsKey = 'grpc-status-details-bin';

/** What leaves a process for one reason: the gRPC status, the OAuth error code, and one sentence that explains nothing more than it must. */
interface WireError {
  readonly status: status;
  /** Error code of RFC 6750 section 3.1, RFC 9449 or RFC 6749 section 5.2. Absent: no credential was presented, or none is at fault. */
  readonly oauth?: string;
  readonly sentence: string;
  /** The challenge that goes into `www-authenticate`; absent where another credential would not help. */
  readonly scheme?: 'Bearer' | 'DPoP';
  /** What the caller's side does: get a new token, take the nonce given, wait, or nothing. */
  readonly remedy?: 'new_token' | 'nonce' | 'backoff';
}

const {
  UNAUTHENTICATED,
  INVALID_ARGUMENT,
  PERMISSION_DENIED,
  UNAVAILABLE,
  RESOURCE_EXHAUSTED,
  UNIMPLEMENTED,
  FAILED_PRECONDITION,
  INTERNAL,
} = status;
const invalidToken = { status: UNAUTHENTICATED, oauth: 'invalid_token', scheme: 'Bearer' } as const;
const insufficientScope = { status: PERMISSION_DENIED, oauth: 'insufficient_scope', scheme: 'Bearer' } as const;

/** The one table from reasons to the wire: a new reason does not compile until it has a row. */
const wire = {
  CREDENTIAL_MISSING: { status: UNAUTHENTICATED, scheme: 'Bearer', sentence: 'a bearer token is needed' },
  CREDENTIAL_AMBIGUOUS: {
    status: INVALID_ARGUMENT,
    oauth: 'invalid_request',
    scheme: 'Bearer',
    sentence: 'exactly one well-formed credential is needed',
  },
  TOKEN_MALFORMED: { ...invalidToken, sentence: 'the token is malformed' },
  TOKEN_SIGNATURE_INVALID: { ...invalidToken, sentence: 'the token is not valid' },
  TOKEN_TYPE_REJECTED: { ...invalidToken, sentence: 'the token is not of the type that is needed here' },
  SIGNING_KEY_UNKNOWN: { ...invalidToken, remedy: 'new_token', sentence: 'the token is signed by an unknown key' },
  TOKEN_EXPIRED: { ...invalidToken, remedy: 'new_token', sentence: 'the token has expired' },
  TOKEN_NOT_YET_VALID: { ...invalidToken, remedy: 'new_token', sentence: 'the token is not valid yet' },
  TOKEN_REVOKED: { ...invalidToken, remedy: 'new_token', sentence: 'the token was revoked' },
  AUDIENCE_MISMATCH: { ...invalidToken, sentence: 'the token is for another audience' },
  ISSUER_UNTRUSTED: { ...invalidToken, sentence: 'the token is from another issuer' },
  BINDING_MISMATCH: { ...invalidToken, sentence: 'the token is bound to another caller' },
  PROOF_INVALID: {
    status: UNAUTHENTICATED,
    oauth: 'invalid_dpop_proof',
    scheme: 'DPoP',
    sentence: 'the proof of possession is not valid',
  },
  PROOF_REPLAYED: {
    status: UNAUTHENTICATED,
    oauth: 'invalid_dpop_proof',
    scheme: 'DPoP',
    sentence: 'the proof of possession was used before',
  },
  BOUND_TOKEN_AS_BEARER: { ...invalidToken, scheme: 'DPoP', sentence: 'the token is bound and came without its proof' },
  PROOF_NONCE_REQUIRED: {
    status: UNAUTHENTICATED,
    oauth: 'use_dpop_nonce',
    scheme: 'DPoP',
    remedy: 'nonce',
    sentence: 'the proof needs the nonce given',
  },
  SCOPE_INSUFFICIENT: { ...insufficientScope, sentence: 'the token lacks a scope that this method needs' },
  CALLER_NOT_ALLOWED: { ...insufficientScope, sentence: 'this caller may not call this method' },
  DELEGATION_NOT_ALLOWED: { ...insufficientScope, sentence: 'acting on behalf of another is not allowed here' },
  DELEGATION_TOO_DEEP: { ...insufficientScope, sentence: 'the chain of actors is too long' },
  KEYS_UNAVAILABLE: { status: UNAVAILABLE, remedy: 'backoff', sentence: 'tokens cannot be verified at the moment' },
  REVOCATION_STALE: { status: UNAVAILABLE, remedy: 'backoff', sentence: 'revocations cannot be checked at the moment' },
  REQUEST_INVALID: { status: INVALID_ARGUMENT, oauth: 'invalid_request', sentence: 'the request is not valid' },
  SUBJECT_TOKEN_INVALID: { status: INVALID_ARGUMENT, oauth: 'invalid_request', sentence: 'the subject token or actor token is not valid' },
  CLIENT_AUTHENTICATION_FAILED: { status: UNAUTHENTICATED, oauth: 'invalid_client', sentence: 'the client could not be authenticated' },
  GRANT_INVALID: { status: UNAUTHENTICATED, oauth: 'invalid_grant', sentence: 'the grant is not valid' },
  GRANT_REUSED: { status: UNAUTHENTICATED, oauth: 'invalid_grant', sentence: 'the grant is not valid' },
  CLIENT_NOT_ALLOWED: { status: PERMISSION_DENIED, oauth: 'unauthorized_client', sentence: 'this client may not use this grant' },
  GRANT_TYPE_UNSUPPORTED: { status: UNIMPLEMENTED, oauth: 'unsupported_grant_type', sentence: 'this grant type is not offered' },
  SCOPE_REFUSED: { status: PERMISSION_DENIED, oauth: 'invalid_scope', sentence: 'the scope asked for is not granted' },
  TARGET_REFUSED: { status: PERMISSION_DENIED, oauth: 'invalid_target', sentence: 'no token can be issued for this target' },
  EXCHANGE_OVERLOADED: {
    status: RESOURCE_EXHAUSTED,
    oauth: 'temporarily_unavailable',
    remedy: 'backoff',
    sentence: 'token-exchange is busy',
  },
} as const satisfies Record<Reason, WireError>;

/** What the caller is told to wait before it asks again, where a retry helps and nobody knows better. */
const defaultRetryDelayMs = 1_000;

/** A status that ends a call. `metadata` holds the trailers. */
export interface RefusalStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/**
 * The status of one refusal: gRPC code, one bland sentence, `ErrorInfo` (and `RetryInfo` where waiting helps) in
 * `grpc-status-details-bin`, and the RFC 6750 challenge in the trailer `www-authenticate`.
 *
 * @param info Facts for the caller, put into `ErrorInfo.metadata`; `scope` is also named in the challenge. Never a token.
 * @param retryDelayMs Put into `RetryInfo`; default 1000.
 */
export function refusalStatus(
  reason: Reason,
  info: Readonly<Record<string, string>> = {},
  retryDelayMs = defaultRetryDelayMs,
): RefusalStatus {
  const row: WireError = wire[reason];
  const metadata = new Metadata();
  const details = [pack('google.rpc.ErrorInfo', googleRpc.ErrorInfo.serialize({ reason, domain, metadata: info }))];
  if (row.remedy === 'backoff') {
    const retry_delay = { seconds: Math.trunc(retryDelayMs / 1000), nanos: (retryDelayMs % 1000) * 1e6 };
    details.push(pack('google.rpc.RetryInfo', googleRpc.RetryInfo.serialize({ retry_delay })));
  }
  metadata.set(detailsKey, googleRpc.Status.serialize({ code: row.status, message: row.sentence, details }));
  if (row.scheme !== undefined) metadata.set('www-authenticate', challenge(row, info.scope));
  return { code: row.status, details: row.sentence, metadata };
}

/** RFC 6749 section 5.2 / RFC 6750 section 3.1 error code of a reason; `undefined` where the RFCs have none. */
export function oauthError(reason: Reason): string | undefined {
  const row: WireError = wire[reason];
  return row.oauth;
}

/**
 * The status with which a handler, or the interceptor itself, answers an error.
 *
 * A `TokenError` becomes its row of the table. An error with a gRPC `code` and `details`, such as a downstream call ends with, keeps both,
 * but for a refusal further down: that is about this service's credential, or about what it may do for its caller, not about the token that
 * the caller presented, and must not send the caller for a new one. It becomes FAILED_PRECONDITION and names the reason; being asked to come
 * back later stays what it is. Trailers are not passed on. Anything else leaves as INTERNAL without its message.
 */
export function toStatus(error: unknown): RefusalStatus {
  if (error instanceof TokenError) return refusalStatus(error.reason, {}, error.retryAfterMs);
  if (!isStatusError(error)) return { code: INTERNAL, details: 'internal error', metadata: new Metadata() };
  const { code, details } = error;
  const reason = refusalOf(error)?.reason;
  const isLater = code === UNAVAILABLE || code === RESOURCE_EXHAUSTED;
  if (code === UNAUTHENTICATED || (reason !== undefined && !isLater)) {
    return { code: FAILED_PRECONDITION, details: `refused further down${reason ? `: ${reason}` : ''}`, metadata: new Metadata() };
  }
  return { code, details, metadata: new Metadata() };
}

/** A refusal as the caller received it. */
export interface Refusal {
  readonly reason: Reason;
  /** `ErrorInfo.metadata`: what there is to know beside the reason, such as the `scope` that the method needs. */
  readonly info: Readonly<Record<string, string>>;
  /** What would help: another token, the nonce that came along, a pause, or nothing. */
  readonly remedy: 'new_token' | 'nonce' | 'backoff' | 'none';
  /** From `RetryInfo`; 0 when the answer carries none. */
  readonly retryAfterMs: number;
}

/**
 * Reads back what `refusalStatus` wrote: the typed refusal that a call ended with, or `undefined` when it ended for any other cause (among
 * them a peer that is not in the mesh, and details that cannot be read).
 */
export function refusalOf(error: { readonly metadata?: Metadata | undefined } | null | undefined): Refusal | undefined {
  const packed = error?.metadata?.get(detailsKey)[0];
  if (!Buffer.isBuffer(packed)) return undefined;
  try {
    let info: ErrorInfo | undefined;
    let retry: RetryInfo | undefined;
    for (const detail of unpackStatus(packed)) {
      if (detail.type === 'google.rpc.ErrorInfo') info = googleRpc.ErrorInfo.deserialize(detail.value);
      if (detail.type === 'google.rpc.RetryInfo') retry = googleRpc.RetryInfo.deserialize(detail.value);
    }
    const reason = asReason(info?.reason);
    if (info?.domain !== domain || !reason) return undefined;
    const row: WireError = wire[reason];
    const delay = retry?.retry_delay;
    const retryAfterMs = delay ? Number(delay.seconds) * 1000 + delay.nanos / 1e6 : 0;
    return { reason, info: { ...info.metadata }, remedy: row.remedy ?? 'none', retryAfterMs };
  } catch {
    return undefined; // details that are not protobuf: somebody else's format
  }
}

function challenge(row: WireError, scope: string | undefined): string {
  const parameters = [
    ...(row.oauth ? [`error="${row.oauth}"`, `error_description="${row.sentence}"`] : []),
    ...(scope ? [`scope="${scope}"`] : []),
  ];
  return parameters.length > 0 ? `${row.scheme} ${parameters.join(', ')}` : `${row.scheme}`;
}

// proto-loader would look for the type of an Any in the message's own package definition, so details travel packed by hand
function pack(type: string, value: Buffer) {
  return { type_url: typePrefix + type, value };
}

function unpackStatus(packed: Buffer): { type: string; value: Buffer }[] {
  return googleRpc.Status.deserialize(packed).details.map((any) => {
    if (!('type_url' in any) || !('value' in any)) throw new TypeError('details without a type');
    return { type: String(any.type_url).slice(typePrefix.length), value: Buffer.from(any.value as Uint8Array) };
  });
}

/** A text that came from outside as the reason that it names, if it does. */
export function asReason(text: string | undefined): Reason | undefined {
  return reasons.find((reason) => reason === text);
}

/** grpc-js's `ServiceError`, or what a handler throws with a status of its own choice. */
function isStatusError(error: unknown): error is Pick<ServiceError, 'code' | 'details'> & Partial<Pick<ServiceError, 'metadata'>> {
  if (!(error instanceof Error && 'code' in error && 'details' in error)) return false;
  return typeof error.code === 'number' && error.code in status && typeof error.details === 'string';
}
