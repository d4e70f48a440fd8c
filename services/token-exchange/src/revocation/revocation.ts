import type { TargetKind } from '@tokenmesh/revocation';

/** What is to be taken back. `exp` (seconds since epoch) is known for a single token only; otherwise the longest possible life counts. */
export interface RevocationTarget {
  readonly kind: TargetKind;
  readonly value: string;
  readonly exp?: number;
}

/** One request to revoke. */
export interface Revocation {
  /** 1 to 500, all or none. */
  readonly targets: readonly RevocationTarget[];
  /** Who asks, as verified. */
  readonly requestedBy: string;
  /** A repetition under the same id by the same identity answers as the first request did; absent: never a repetition. */
  readonly requestId?: string;
  /** For people; kept in the record, never broadcast. */
  readonly note?: string;
  /** Suspends this workload in the same transaction. */
  readonly suspend?: string;
}

/** A revocation that is durable: no restart, failover or loss of the courier takes it back. */
export interface Acknowledgement {
  readonly n: number;
  /** Milliseconds since epoch. */
  readonly acknowledgedAtMs: number;
  /** `sent`: the courier has it, or none is configured and the gRPC feed carries it. `pending`: handed to the courier again until it takes it. */
  readonly broadcast: 'sent' | 'pending';
}
