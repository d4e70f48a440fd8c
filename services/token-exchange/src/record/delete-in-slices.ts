import { setImmediate as turn } from 'node:timers/promises';
import type { DeleteResult } from 'kysely';

/** Rows that one statement deletes: some 10 ms, which everybody else waits for in SQLite. */
const sliceSize = 1000;

/**
 * Deletes any number of rows without holding up the others: each slice is a statement, and a transaction, of its own.
 *
 * @param deleteSome Deletes at most `limit` rows of those that are to go; called until it finds fewer.
 */
export async function deleteInSlices(deleteSome: (limit: number) => Promise<DeleteResult>): Promise<void> {
  while ((await deleteSome(sliceSize)).numDeletedRows === BigInt(sliceSize)) await turn();
}
