import type { StreamState } from '@tokenmesh/revocation';

/** An event that the courier's stream should have. */
interface KeptEvent {
  /** Milliseconds since epoch. */
  readonly t: number;
  /** Where the stream has it; `undefined`: it was not found there, or is there no longer. */
  readonly seq: number | undefined;
  /** Whether its loss was told already. */
  readonly isReported: boolean;
}

/** Which events the courier's stream should have, by position, and where it has them. */
export interface KeptEvents {
  /** The stream should have it; what is known of it stays. */
  expect(n: number, t: number): void;
  /** The stream has it there. */
  found(n: number, t: number, seq: number): void;
  /** The stream does not have it where it was. */
  lost(n: number): void;
  /** The stream is another one: nothing was found in it yet. */
  lostAll(): void;
  /** Nothing is expected that lies before the first event that was found: the stream was not read from its beginning. */
  expectFromFirstFound(): void;
  /** Positions that should be in the stream, are younger than `sinceMs`, and are not there, in order. */
  missing(state: StreamState, sinceMs: number): readonly number[];
  /** Marks their loss as told; returns those of which it had not been. */
  report(positions: readonly number[]): readonly number[];
  forget(positions: readonly number[]): void;
  /** Up to `count` events that were found, after those of the last call; begins again at the end. */
  nextFound(count: number): readonly { readonly n: number; readonly seq: number }[];
  /** Expects no more what lies at or below position `n`. */
  forgetUpTo(n: number): void;
}

export function createKeptEvents(): KeptEvents {
  const events = new Map<number, KeptEvent>();
  let rechecked = 0;

  return {
    expect(n, t) {
      if (!events.has(n)) events.set(n, { t, seq: undefined, isReported: false });
    },
    found: (n, t, seq) => void events.set(n, { t, seq, isReported: false }),
    lost(n) {
      const event = events.get(n);
      if (event) events.set(n, { ...event, seq: undefined });
    },
    lostAll() {
      for (const [n, event] of events) events.set(n, { ...event, seq: undefined });
    },
    expectFromFirstFound() {
      const first = [...events].reduce(
        (lowest, [n, { seq }]) => (seq === undefined ? lowest : Math.min(lowest, n)),
        Number.POSITIVE_INFINITY,
      );
      for (const n of events.keys()) if (n < first) events.delete(n);
    },
    missing({ firstSeq, deleted }, sinceMs) {
      const isThere = (seq: number | undefined) => seq !== undefined && seq >= firstSeq && !deleted.has(seq);
      return [...events]
        .filter(([, { t, seq }]) => t > sinceMs && !isThere(seq))
        .map(([n]) => n)
        .sort((a, b) => a - b);
    },
    report(positions) {
      const told: number[] = [];
      for (const n of positions) {
        const event = events.get(n);
        if (!event || event.isReported) continue;
        events.set(n, { ...event, isReported: true });
        told.push(n);
      }
      return told;
    },
    forget(positions) {
      for (const n of positions) events.delete(n);
    },
    nextFound(count) {
      const found = [...events].flatMap(([n, { seq }]) => (seq === undefined ? [] : [{ n, seq }])).sort((a, b) => a.n - b.n);
      const after = found.filter(({ n }) => n > rechecked);
      const next = (after.length > 0 ? after : found).slice(0, count);
      rechecked = next.at(-1)?.n ?? 0;
      return next;
    },
    forgetUpTo(n) {
      for (const at of events.keys()) if (at <= n) events.delete(at);
    },
  };
}
