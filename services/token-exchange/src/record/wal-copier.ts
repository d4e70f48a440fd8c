import { Worker } from 'node:worker_threads';

/** Copies an SQLite database's write-ahead log into it on a thread of its own, so that no commit waits for that. */
export interface WalCopier {
  /** To be told of each commit. */
  committed(): void;
  /** Resolves when the thread has ended and holds the file no longer. Before the database itself is closed. */
  close(): Promise<void>;
}

/** A batch of revocations changes some 70 pages, most of them again and again: copied seldom they are copied once. This is a log of about 16 MB. */
const commitsBetween = 64;

/**
 * A copier that starts its thread with the first commits: a database that is opened and closed again costs none.
 *
 * It decides nothing about durability: a commit is on the disk, in the log, before and without it. When its thread fails, another one is started
 * later, and until then the log grows to the length at which the database copies it within a commit.
 *
 * @param file Of a database in WAL mode that this process has open.
 * @see https://www.sqlite.org/wal.html#application_initiated_checkpoints
 */
export function createWalCopier(file: string): WalCopier {
  let commits = 0;
  let worker: Worker | undefined;
  let ended: Promise<void> | undefined;

  function start(): Worker {
    const started = new Worker(new URL('./wal-copier-thread.ts', import.meta.url), { workerData: file });
    started.unref();
    started.on('error', () => undefined); // it ends then
    ended = new Promise((resolve) => {
      started.once('exit', () => {
        worker = undefined;
        resolve();
      });
    });
    return started;
  }

  return {
    committed() {
      if (++commits % commitsBetween > 0) return;
      worker ??= start();
      worker.postMessage('copy');
    },
    async close() {
      worker?.ref(); // whoever waits for its end is not to end before
      worker?.postMessage('end');
      await ended;
    },
  };
}
