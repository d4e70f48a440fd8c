import { setTimeout as delay } from 'node:timers/promises';
import type { FeedPublisher } from '@tokenmesh/revocation';
import type { Store } from '../record/store.ts';
import type { BroadcastEvent } from './applied-log.ts';

/** Hands what is durable to the courier, until the courier has it. */
export interface Outbox {
  /** Whether the courier took the event; never rejects. Asked for the same event while an attempt is under way it tells of that one. */
  publish(event: BroadcastEvent): Promise<boolean>;
  /** Hands over again what stayed behind, oldest first, until the courier does not take one: 1 000 at most. */
  sweep(): Promise<void>;
  /** Whether the courier has an event that was appended by this process or another. */
  isSent(n: number): Promise<boolean>;
  /** Resolves when no attempt is under way, and the record knows what the courier has. */
  settled(): Promise<void>;
}

export interface OutboxOptions {
  readonly store: Pick<Store, 'markSent' | 'unsentEvents' | 'isSent'>;
  /** Absent: nothing has to be handed over, the gRPC feed carries it. */
  readonly publisher: FeedPublisher | undefined;
  readonly epoch: string;
  /** Told of each attempt that failed. */
  readonly onProblem: (error: unknown) => void;
}

/** Events that a sweep has in memory, and how many times as many it hands over. */
const sweepSize = 100;
const maxPages = 10;
/** Events of which it is kept in memory which span published them, while the courier does not take them. */
const maxTraced = 10_000;
/** What the courier took is marked together, after this long: what is not marked at a crash is handed over once more, and nobody minds. */
const markingMs = 50;
/** An answer waits this long for the courier before it says `pending`; a healthy one takes a millisecond. */
const courierPatienceMs = 250;

export function createOutbox({ store, publisher, epoch, onProblem }: OutboxOptions): Outbox {
  const publishing = new Map<number, Promise<boolean>>();
  /** What the courier has and the record does not know yet. */
  const taken = new Set<number>();
  /** What goes with events that the courier did not take, when it does: verifiers link to the request that was made long ago. */
  const traced = new Map<number, string>();
  let marking: Promise<void> | undefined;

  async function markTaken(): Promise<void> {
    await delay(markingMs);
    marking = undefined; // what is taken from here on is marked with the next ones
    const positions = [...taken];
    await store.markSent(positions);
    for (const n of positions) taken.delete(n);
  }

  function take(n: number): true {
    taken.add(n);
    traced.delete(n);
    marking ??= markTaken().catch(onProblem);
    return true;
  }

  /** Of these, another replica has handed over what is before the oldest that is left. */
  function forget(known: readonly number[], oldest = Number.POSITIVE_INFINITY): void {
    for (const n of known) if (n < oldest) traced.delete(n);
  }

  function publish({ n, compact, traceparent = traced.get(n) }: BroadcastEvent): Promise<boolean> {
    if (!publisher) return Promise.resolve(true);
    if (taken.has(n)) return Promise.resolve(take(n)); // marking it has failed before
    const underWay = publishing.get(n);
    if (underWay) return underWay;
    const attempt = publisher
      .publishEvent({ epoch, n, compact, traceparent })
      .then(
        () => take(n),
        (error: unknown) => {
          onProblem(error);
          if (traceparent !== undefined && traced.size < maxTraced) traced.set(n, traceparent);
          return false;
        },
      )
      .finally(() => publishing.delete(n));
    publishing.set(n, attempt);
    return attempt;
  }

  return {
    publish,
    async sweep() {
      if (!publisher) return;
      for (let page = 0; page < maxPages; page++) {
        const known = page === 0 ? [...traced.keys()] : []; // what is committed after the question is not in its answer
        const events = await store.unsentEvents(sweepSize);
        forget(known, events[0]?.n);
        for (const event of events) if (!(await publish(event))) return; // the courier is away: the next sweep tries again
        await marking; // or the next page would be this one
        if (events.length < sweepSize || events.some(({ n }) => taken.has(n))) return;
      }
    },
    isSent: async (n) => taken.has(n) || (await store.isSent(n)),
    async settled() {
      await Promise.all(publishing.values());
      await marking;
    },
  };
}

/** Whether the courier took it within the time that an answer waits for it. `sent` does not reject. */
export function isSentInTime(sent: Promise<boolean>): Promise<boolean> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, courierPatienceMs, false);
    late.unref();
    void sent.then((isSent) => {
      clearTimeout(late);
      resolve(isSent);
    });
  });
}
