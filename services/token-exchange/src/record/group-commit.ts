/** One transaction of the database that has not been committed yet. */
export interface OpenTransaction<Inside> {
  /** What is done in it is done through this. */
  readonly inside: Inside;
  /** Marks how far it has come: what this returns forgets what was noted since, to be written with the commit. */
  mark(): () => void;
}

/** Runs `work` in a transaction; resolves once it is durable. */
export type Commit<Inside> = <T>(work: (open: OpenTransaction<Inside>) => Promise<T>) => Promise<T>;

/** The one savepoint of the transaction that is open. */
export interface Savepoint {
  set(): void;
  /** Goes back to it; it stays set. */
  undo(): void;
  release(): void;
}

/** What one commit carries at most: bounds how long the first of a group waits for the last. */
const maxMembers = 64;

interface Member<Inside> {
  /** Runs the work, and rejects when it fails. */
  run(inside: Inside): Promise<void>;
  /** The group is durable, or was undone by this error. */
  settle(undoneBy?: { readonly error: unknown }): void;
}

/**
 * Transactions of a database with one writer, in groups: those that wait while one is being written to the disk are run one after the other
 * within the next, each behind a savepoint of its own, and share its commit. A single writer has them in a row anyhow; what they share is the
 * wait for the disk, which is most of what a short transaction costs.
 *
 * A member that throws is undone alone. When the commit fails, all of its members are undone and reject with the error. A member sees what
 * those before it in the group wrote; all of that becomes durable with it or not at all.
 */
export function groupCommits<Inside>(
  commit: Commit<Inside>,
  savepoint: Savepoint,
): <T>(work: (inside: Inside) => Promise<T>) => Promise<T> {
  const waiting: Member<Inside>[] = [];
  let isRunning = false;

  async function runAll(): Promise<void> {
    isRunning = true;
    while (waiting.length > 0) {
      // the database is synchronous: without a turn of the event loop nobody could join
      await new Promise((resolve) => setImmediate(resolve));
      const members = waiting.splice(0, maxMembers);
      try {
        await commit(async (open) => {
          const [first] = members;
          if (first && members.length === 1)
            await first.run(open.inside); // what undoes it undoes nobody else
          else for (const member of members) await runApart(member, open, savepoint);
        });
        for (const member of members) member.settle();
      } catch (error) {
        for (const member of members) member.settle({ error });
      }
    }
    isRunning = false;
  }

  return (work) =>
    new Promise((resolve, reject) => {
      let outcome: { readonly value: Awaited<ReturnType<typeof work>> } | { readonly error: unknown } | undefined;
      waiting.push({
        async run(inside) {
          try {
            outcome = { value: await work(inside) };
          } catch (error) {
            outcome = { error };
            throw error;
          }
        },
        settle(undoneBy) {
          if (outcome === undefined || 'error' in outcome) reject(outcome?.error ?? undoneBy?.error);
          else if (undoneBy) reject(undoneBy.error);
          else resolve(outcome.value);
        },
      });
      if (!isRunning) void runAll();
    });
}

/** Behind a savepoint of its own: when it fails, it is undone alone. */
async function runApart<Inside>(member: Member<Inside>, open: OpenTransaction<Inside>, savepoint: Savepoint): Promise<void> {
  const forget = open.mark();
  savepoint.set();
  try {
    await member.run(open.inside);
  } catch {
    savepoint.undo(); // it keeps its error for `settle`
    forget();
  }
  savepoint.release();
}
