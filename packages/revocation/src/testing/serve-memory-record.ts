import { Metadata, status } from '@grpc/grpc-js';
import type { RevocationFeedHandlers, VerifierReport } from '@tokenmesh/proto';
import { PositionGoneError } from '../feed-ports.ts';
import type { MemoryRecord } from './memory-record.ts';

/** Serves `tokenmesh.v1.RevocationFeed` from a memory record. */
export function serveMemoryRecord(record: MemoryRecord, onReport: (report: VerifierReport) => void = () => {}): RevocationFeedHandlers {
  return {
    GetFeedKeys: (_call, callback) =>
      void record.keys().then(({ keys, version }) => callback(null, { keys: [...keys], version }), refuse(callback)),
    Checkpoint: (call, callback) =>
      void record.checkpoint(call.request.nonce).then((checkpoint) => callback(null, { checkpoint }), refuse(callback)),
    ListEvents: (call, callback) =>
      void record
        .listEvents({ epoch: call.request.epoch, n: call.request.from })
        .then(({ events, head }) => callback(null, { events: [...events], head }), refuse(callback)),
    GetSnapshot: (call) =>
      void record.snapshot().then(
        ({ head, chunks }) => {
          call.write({ head });
          for (const chunk of chunks) call.write({ chunk });
          call.end();
        },
        (error) => call.emit('error', toServiceError(error)),
      ),
    Sync: (call) => {
      let unsubscribe = () => {};
      call.on('data', ({ start, report }) => {
        if (report) onReport(report);
        if (!start) return;
        call.sendMetadata(new Metadata());
        for (const { event, compact } of record.events()) {
          if (event.epoch === start.epoch && event.n >= start.from) call.write({ event: compact });
        }
        unsubscribe = record.subscribe({
          onEvent: ({ compact }) => void call.write({ event: compact }),
          onCheckpoint: (checkpoint) => void call.write({ checkpoint }),
        });
      });
      call.on('cancelled', () => unsubscribe());
      call.on('end', () => {
        unsubscribe();
        call.end();
      });
    },
  };
}

function refuse(callback: (error: { code: status; details: string }) => void): (error: unknown) => void {
  return (error) => callback(toServiceError(error));
}

function toServiceError(error: unknown): { code: status; details: string } {
  const gone = error instanceof PositionGoneError;
  return { code: gone ? status.OUT_OF_RANGE : status.UNAVAILABLE, details: gone ? 'not kept' : 'outage' };
}
