// Original file: tokenmesh/v1/token_exchange.proto

export const Broadcast = {
  BROADCAST_UNSPECIFIED: 'BROADCAST_UNSPECIFIED',
  BROADCAST_SENT: 'BROADCAST_SENT',
  BROADCAST_PENDING: 'BROADCAST_PENDING',
} as const;

export type Broadcast =
  | 'BROADCAST_UNSPECIFIED'
  | 0
  | 'BROADCAST_SENT'
  | 1
  | 'BROADCAST_PENDING'
  | 2

export type Broadcast__Output = typeof Broadcast[keyof typeof Broadcast]
