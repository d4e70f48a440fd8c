/** The three kinds of streams. */
export const streamKinds = ['server', 'client', 'bidirectional'] as const;

/** What is done: `count` calls, or streams of so many `messages` each, of them `inFlight` at a time. */
export type Load =
  | { readonly kind: 'unary'; readonly count: number; readonly inFlight: number }
  | { readonly kind: (typeof streamKinds)[number]; readonly count: number; readonly messages: number; readonly inFlight: number };

/** What that took at the client. */
export interface Taken {
  readonly seconds: number;
  readonly cpuMicros: number;
  /** Bytes that were sent over the sockets to the service, TLS included. */
  readonly sentBytes: number;
  /** Of single calls, else 0. */
  readonly p50Micros: number;
  readonly p99Micros: number;
}
