// Original file: tokenmesh/v1/admin.proto

import type { Long } from '@grpc/proto-loader';

/**
 * What happened. Never holds a token: tokens are named by jti.
 */
export interface AuditEvent {
  /**
   * The chain of hashes that it is in, and its number there.
   */
  'chain'?: (number | string | Long);
  'seq'?: (number | string | Long);
  't_ms'?: (number | string | Long);
  /**
   * `token.issued`, `token.refused`, `revocation.added`, …
   */
  'kind'?: (string);
  /**
   * The identity that acted, as verified; `token-exchange` itself; empty when nobody proved to be anybody.
   */
  'who'?: (string);
  /**
   * To what: aud, scope, targets, kid, …
   */
  'what'?: ({[key: string]: string});
  /**
   * `allowed` or `refused`.
   */
  'decision'?: (string);
  /**
   * The rule that allowed it, or the reason of the refusal.
   */
  'reason'?: (string);
  'jti'?: (string);
  'txn'?: (string);
  'trace_id'?: (string);
  /**
   * How many times within a second: refusals that are alike are one event.
   */
  'count'?: (number | string | Long);
}

/**
 * What happened. Never holds a token: tokens are named by jti.
 */
export interface AuditEvent__Output {
  /**
   * The chain of hashes that it is in, and its number there.
   */
  'chain': (number);
  'seq': (number);
  't_ms': (number);
  /**
   * `token.issued`, `token.refused`, `revocation.added`, …
   */
  'kind': (string);
  /**
   * The identity that acted, as verified; `token-exchange` itself; empty when nobody proved to be anybody.
   */
  'who': (string);
  /**
   * To what: aud, scope, targets, kid, …
   */
  'what': ({[key: string]: string});
  /**
   * `allowed` or `refused`.
   */
  'decision': (string);
  /**
   * The rule that allowed it, or the reason of the refusal.
   */
  'reason': (string);
  'jti': (string);
  'txn': (string);
  'trace_id': (string);
  /**
   * How many times within a second: refusals that are alike are one event.
   */
  'count': (number);
}
