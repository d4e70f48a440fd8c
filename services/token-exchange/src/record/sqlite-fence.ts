import { DatabaseSync } from 'node:sqlite';

/** The database is in use: two writers would each believe they knew the last position of the revocation log. */
export class StoreInUseError extends Error {
  override readonly name = 'StoreInUseError';
}

/** What was last seen of a record. */
export interface SeenRecord {
  readonly epoch: string;
  /** How often it had been opened. */
  readonly generation: number;
  /** A position that its log had reached. */
  readonly n: number;
}

/** Keeps others from a record for as long as it is held, and remembers beside the record how far it had come. */
export interface SqliteFence {
  readonly seen: SeenRecord | undefined;
  note(seen: SeenRecord): void;
  /** The operating system does it as well when the process dies, however it dies. */
  release(): void;
}

/** SQLITE_BUSY, the primary result code. */
const busy = 5;

/**
 * Takes the file of a fence, which is there already.
 *
 * It is an SQLite file because SQLite holds fcntl locks: Node has no flock, a file with a pid in it outlives a kill -9, and pids are reused. Notes are
 * in order but not forced to the disk: a power cut may lose the last ones, and a kill in the tick between a commit and its note that one, which makes
 * the fence lower, never wrong. An event may be with verifiers then whose position a backup of that very moment, restored, gives away once more.
 *
 * @throws {StoreInUseError} When it is held, in this process or another.
 */
export function acquireFence(file: string): SqliteFence {
  const fence = new DatabaseSync(file);
  try {
    fence.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN EXCLUSIVE;
      CREATE TABLE IF NOT EXISTS seen (id INTEGER PRIMARY KEY, epoch TEXT NOT NULL, generation INTEGER NOT NULL, n INTEGER NOT NULL); COMMIT`);
    const note = fence.prepare('INSERT OR REPLACE INTO seen (id, epoch, generation, n) VALUES (1, ?, ?, ?)');
    const row = fence.prepare('SELECT epoch, generation, n FROM seen').get();
    return {
      seen: row && { epoch: String(row.epoch), generation: Number(row.generation), n: Number(row.n) },
      note: ({ epoch, generation, n }) => void note.run(epoch, generation, n),
      release: () => {
        if (fence.isOpen) fence.close();
      },
    };
  } catch (error) {
    fence.close();
    if ((error as { errcode?: unknown }).errcode !== busy) throw error;
    throw new StoreInUseError(`${file} is held by another process: one token-exchange at a time may use an SQLite record`);
  }
}
