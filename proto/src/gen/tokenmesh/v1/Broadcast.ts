// Original file: tokenmesh/v1/token_exchange.proto

export const Broadcast = {
  BROADCAST_UNSPECIFIED: 'BROADCAST_UNSPECIFIED',
  /**
   * The courier has it.
   */
  BROADCAST_SENT: 'BROADCAST_SENT',
  /**
   * Durable, and handed to the courier again until it takes it; verifiers on the gRPC path have it already.
   */
  BROADCAST_PENDING: 'BROADCAST_PENDING',
} as const;

export type Broadcast =
  | 'BROADCAST_UNSPECIFIED'
  | 0
  /**
   * The courier has it.
   */
  | 'BROADCAST_SENT'
  | 1
  /**
   * Durable, and handed to the courier again until it takes it; verifiers on the gRPC path have it already.
   */
  | 'BROADCAST_PENDING'
  | 2

export type Broadcast__Output = typeof Broadcast[keyof typeof Broadcast]
