/** A reader that fell behind: as many changes as it says are missing here. */
export interface MissedChanges {
  readonly type: 'missed';
  readonly count: number;
}

/** Tells changes to whoever reads them; costs nothing while nobody does. */
export interface StatusStream<Change> {
  report(change: Change): void;
  /**
   * Every change from now on, for each reader on its own; ends once the stream is closed and what was told before is read. A reader that falls
   * more than 256 behind loses the oldest and is told how many.
   */
  changes(): AsyncIterableIterator<Change | MissedChanges>;
  close(): void;
}

const maxBacklog = 256;

export function createStatusStream<Change>(): StatusStream<Change> {
  const readers = new Set<Reader<Change>>();
  let closed = false;

  async function* read(reader: Reader<Change>): AsyncGenerator<Change | MissedChanges> {
    try {
      for (;;) {
        const { missed } = reader;
        reader.missed = 0;
        if (missed > 0) yield { type: 'missed', count: missed };
        const next = reader.backlog.shift();
        if (next !== undefined) yield next;
        else if (closed) return;
        else {
          await reader.wake.promise;
          reader.wake = Promise.withResolvers();
        }
      }
    } finally {
      readers.delete(reader);
    }
  }

  return {
    report(change) {
      for (const reader of readers) {
        if (reader.backlog.push(change) > maxBacklog) {
          reader.backlog.shift();
          reader.missed++;
        }
        reader.wake.resolve();
      }
    },
    changes() {
      const reader: Reader<Change> = { backlog: [], missed: 0, wake: Promise.withResolvers() };
      // from now on, not from the first `next()` on; when that never comes, the backlog is bounded
      readers.add(reader);
      return read(reader);
    },
    close() {
      closed = true;
      for (const { wake } of readers) wake.resolve();
    },
  };
}

interface Reader<Change> {
  readonly backlog: Change[];
  missed: number;
  wake: PromiseWithResolvers<void>;
}
