/**
 * Why a call or an exchange was refused: the closed list, in the order of the refusal table of the protocol. The reason travels as
 * `google.rpc.ErrorInfo.reason`; what gRPC status and OAuth code belong to it is decided where a refusal leaves the process.
 */
export const reasons = [
  'CREDENTIAL_MISSING',
  'CREDENTIAL_AMBIGUOUS',
  'TOKEN_MALFORMED',
  'TOKEN_SIGNATURE_INVALID',
  'TOKEN_TYPE_REJECTED',
  'SIGNING_KEY_UNKNOWN',
  'TOKEN_EXPIRED',
  'TOKEN_NOT_YET_VALID',
  'TOKEN_REVOKED',
  'AUDIENCE_MISMATCH',
  'ISSUER_UNTRUSTED',
  'BINDING_MISMATCH',
  'PROOF_INVALID',
  'PROOF_REPLAYED',
  'BOUND_TOKEN_AS_BEARER',
  'PROOF_NONCE_REQUIRED',
  'SCOPE_INSUFFICIENT',
  'CALLER_NOT_ALLOWED',
  'DELEGATION_NOT_ALLOWED',
  'DELEGATION_TOO_DEEP',
  'KEYS_UNAVAILABLE',
  'REVOCATION_STALE',
  'REQUEST_INVALID',
  'SUBJECT_TOKEN_INVALID',
  'CLIENT_AUTHENTICATION_FAILED',
  'GRANT_INVALID',
  'GRANT_REUSED',
  'CLIENT_NOT_ALLOWED',
  'GRANT_TYPE_UNSUPPORTED',
  'SCOPE_REFUSED',
  'TARGET_REFUSED',
  'EXCHANGE_OVERLOADED',
] as const;

/** One of {@link reasons}. */
export type Reason = (typeof reasons)[number];
