import { callerOf, toStatus } from '@tokenmesh/interceptor';
import type { RevocationFeedHandlers } from '@tokenmesh/proto';
import { TokenError } from '@tokenmesh/token';
import type { EventLog } from '../event-log.ts';
import type { Snapshot } from '../revocation/shared-snapshot.ts';
import { logError } from './answer-unary.ts';
import { writeChunks } from './write-chunks.ts';

/** Verifiers wait for so long, and a place is not held longer by one that does not read. */
const readTimeoutMs = 60_000;
/** When who was sent away should ask again: in this time most of those who read are done. */
const retryAfterMs = 1_000;

type SnapshotCall = Parameters<RevocationFeedHandlers['GetSnapshot']>[0];

/**
 * The handler of `RevocationFeed/GetSnapshot`.
 *
 * A snapshot of one chunk is sent to everybody. Of larger ones at most `limit` are read at a time, and at most half of these by one workload, so that one which
 * reads slowly, or not at all, keeps nobody else out; who comes beyond is refused with EXCHANGE_OVERLOADED and asks again. A reader has 60 s.
 *
 * @param options.limit Asked for each snapshot.
 */
export function createSnapshotStreams(options: {
  readonly snapshot: () => Promise<Snapshot>;
  readonly limit: () => number;
  readonly log: EventLog;
}): (call: SnapshotCall) => void {
  const { snapshot, limit, log } = options;
  /** How many each workload reads. */
  const reading = new Map<string, number>();

  function enter(clientId: string): void {
    const its = reading.get(clientId) ?? 0;
    const all = [...reading.values()].reduce((sum, count) => sum + count, 0);
    if (all >= limit() || its >= Math.ceil(limit() / 2)) {
      throw new TokenError('EXCHANGE_OVERLOADED', `${clientId} reads ${its} of ${all} snapshots that are being read`, { retryAfterMs });
    }
    reading.set(clientId, its + 1);
  }

  function leave(clientId: string): void {
    const left = (reading.get(clientId) ?? 0) - 1;
    if (left > 0) reading.set(clientId, left);
    else reading.delete(clientId);
  }

  async function send(call: SnapshotCall): Promise<void> {
    const { clientId } = callerOf(call);
    const { head, chunks } = await snapshot();
    const isHeld = chunks.length > 1;
    if (isHeld) enter(clientId);
    try {
      call.write({ head });
      await writeChunks(
        call,
        chunks.map((chunk) => ({ chunk })),
        AbortSignal.timeout(readTimeoutMs),
      );
    } finally {
      if (isHeld) leave(clientId);
    }
    if (!call.cancelled) call.end();
  }

  return (call) => {
    send(call).catch((error: unknown) => {
      logError(log, call.getPath(), error);
      call.emit('error', toStatus(error));
    });
  };
}
