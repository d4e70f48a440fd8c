// Original file: tokenmesh/v1/access.proto

export const MethodClass = {
  METHOD_CLASS_UNSPECIFIED: 'METHOD_CLASS_UNSPECIFIED',
  /**
   * Accepts while stale, marks the caller so, until `max_blind_ms`. The default.
   */
  METHOD_CLASS_STANDARD: 'METHOD_CLASS_STANDARD',
  /**
   * Decides at token-exchange, or refuses, while stale.
   */
  METHOD_CLASS_CRITICAL: 'METHOD_CLASS_CRITICAL',
} as const;

export type MethodClass =
  | 'METHOD_CLASS_UNSPECIFIED'
  | 0
  /**
   * Accepts while stale, marks the caller so, until `max_blind_ms`. The default.
   */
  | 'METHOD_CLASS_STANDARD'
  | 1
  /**
   * Decides at token-exchange, or refuses, while stale.
   */
  | 'METHOD_CLASS_CRITICAL'
  | 2

export type MethodClass__Output = typeof MethodClass[keyof typeof MethodClass]
