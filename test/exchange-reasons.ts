/** Reasons that only token-exchange gives. */
export const exchangeReasons = [
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
