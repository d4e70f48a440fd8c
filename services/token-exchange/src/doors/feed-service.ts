import { type EventEmitter, once } from 'node:events';
import { Metadata, type ServerDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import { callerOf, toStatus } from '@tokenmesh/interceptor';
import type { RevocationFeedHandlers, SyncRequest, SyncResponse } from '@tokenmesh/proto';
import { TokenError } from '@tokenmesh/token';
import type { EventLog } from '../event-log.ts';
import type { KeyRing } from '../keys/keys.ts';
import type { StoredEvent } from '../record/revocation-records.ts';
import type { BroadcastEvent } from '../revocation/applied-log.ts';
import type { RevocationLog } from '../revocation/revocation-log.ts';
import type { VerifierReports } from '../revocation/verifier-reports.ts';
import { answerUnary, logError } from './answer-unary.ts';
import { createSnapshotStreams } from './snapshot-streams.ts';

export interface FeedService {
  /** Of `tokenmesh.v1.RevocationFeed`. Callers were verified by the interceptor. */
  readonly handlers: RevocationFeedHandlers;
  /** Ends all live streams with UNAVAILABLE, so that verifiers look for another replica or for this one again. */
  close(): void;
}

export interface FeedServiceOptions {
  readonly revocations: RevocationLog;
  readonly keys: KeyRing;
  readonly reports: VerifierReports;
  /** How many large snapshots are read at a time; asked for each. */
  readonly snapshots: () => number;
  readonly log: EventLog;
}

/** Events in one answer or one step of a backlog. */
const pageSize = 1000;
const maxAnswerBytes = 1024 * 1024;
/** Messages that wait for a slow verifier before its stream is ended: it catches up by ListEvents, and holds up nobody. */
const maxWaiting = 1000;

type SyncCall = ServerDuplexStream<SyncRequest, SyncResponse>;

export function createFeedService({ revocations, keys, reports, snapshots, log }: FeedServiceOptions): FeedService {
  /** Open streams, and what ends their flow of events. */
  const live = new Map<SyncCall, () => void>();

  /** Streams the log from `from` on; without a gap between what is stored and what comes. */
  async function follow(call: SyncCall, epoch: string, from: number): Promise<void> {
    const meanwhile: BroadcastEvent[] = [];
    let isLive = false;
    const write = (message: SyncResponse) => {
      if (call.writableLength >= maxWaiting) end(call, status.RESOURCE_EXHAUSTED, 'the stream is read too slowly');
      else call.write(message);
    };
    const writeEvent = ({ compact, traceparent = '' }: BroadcastEvent) => write({ event: compact, traceparent });
    const stop = revocations.listen({
      onEvent(event) {
        if (isLive) writeEvent(event);
        else if (meanwhile.push(event) > maxWaiting) end(call, status.RESOURCE_EXHAUSTED, 'the stream is read too slowly');
      },
      onCheckpoint(checkpoint) {
        if (isLive) write({ checkpoint });
      },
    });
    live.set(call, stop);

    const head = await revocations.head();
    // a verifier of another epoch, or without a log, learns from the next checkpoint that it needs a snapshot
    let next = epoch === head.epoch && from >= 1 ? from : head.n + 1;
    for (;;) {
      const page = await revocations.events(next, pageSize);
      if (!live.has(call)) return;
      if (page[0]?.n !== next) break; // nothing more, or compacted away: then ListEvents says so
      for (const { n, compact } of page) {
        if (!call.write({ event: compact })) await drained(call);
        if (!live.has(call)) return;
        next = n + 1;
      }
    }
    for (const event of meanwhile) if (event.n >= next) writeEvent(event);
    isLive = true;
  }

  /** Whether the stream was open. */
  function forget(call: SyncCall): boolean {
    live.get(call)?.();
    return live.delete(call);
  }

  function end(call: SyncCall, code: status, details: string): void {
    if (!forget(call)) return;
    // grpc-js sends what is emitted as error as the call's status
    call.emit('error', { code, details, metadata: new Metadata() });
  }

  function sync(call: SyncCall): void {
    const { clientId } = callerOf(call);
    let isFollowing = false;
    live.set(call, () => {});
    call.once('cancelled', () => forget(call));
    call.on('data', ({ start, report }: SyncRequest) => {
      if (report) reports.add(clientId, report);
      if (!start || isFollowing) return;
      isFollowing = true;
      follow(call, start.epoch, start.from).catch((error: unknown) => {
        logError(log, call.getPath(), error);
        const { code, details } = toStatus(error);
        end(call, code, details);
      });
    });
    call.on('end', () => {
      if (!isFollowing && forget(call)) call.end();
    });
    call.sendMetadata(new Metadata()); // tells the verifier that the path works before anything happens
  }

  return {
    handlers: {
      GetFeedKeys: answerUnary(log, async () => ({ keys: [...keys.feed.jwks], version: keys.version })),
      GetSnapshot: createSnapshotStreams({ snapshot: revocations.snapshot, limit: snapshots, log }),
      ListEvents: answerUnary(log, async ({ request: { epoch, from, limit } }) => {
        if (from < 1) throw new TokenError('REQUEST_INVALID', 'the log begins at position 1');
        const head = await revocations.head();
        if (epoch !== head.epoch) throw gone(status.FAILED_PRECONDITION, 'the log has another epoch');
        const events = await revocations.events(from, limit === 0 ? pageSize : Math.min(limit, pageSize));
        if (from <= head.n && events[0]?.n !== from) throw gone(status.OUT_OF_RANGE, 'the position was compacted away');
        return { events: withinAnswer(events).map(({ compact }) => compact), head: Math.max(head.n, events.at(-1)?.n ?? 0) };
      }),
      Checkpoint: answerUnary(log, async ({ request: { nonce } }) => {
        if (!/^[\x21-\x7e]{1,128}$/.test(nonce)) throw new TokenError('REQUEST_INVALID', 'nonce must be 1 to 128 visible ASCII characters');
        return { checkpoint: await revocations.checkpoint(nonce) };
      }),
      Sync(call) {
        try {
          sync(call);
        } catch (error) {
          logError(log, call.getPath(), error);
          call.emit('error', toStatus(error));
        }
      },
    },
    close() {
      for (const call of live.keys()) end(call, status.UNAVAILABLE, 'token-exchange is stopping');
    },
  };
}

/** Resolves when more can be written, or nobody is there to read it. */
async function drained(call: EventEmitter): Promise<void> {
  const settled = new AbortController();
  const either = ['drain', 'cancelled'].map((event) => once(call, event, { signal: settled.signal }));
  await Promise.race(either).finally(() => settled.abort());
}

/** As many events as fit into one answer, at least one: a client takes 4 MiB, and one event is at most 512 KiB. */
function withinAnswer(events: readonly StoredEvent[]): readonly StoredEvent[] {
  let bytes = 0;
  const end = events.findIndex(({ compact }, index) => {
    bytes += compact.length;
    return index > 0 && bytes > maxAnswerBytes;
  });
  return end === -1 ? events : events.slice(0, end);
}

/** Not a refusal: the verifier has to take a snapshot. */
function gone(code: status.OUT_OF_RANGE | status.FAILED_PRECONDITION, details: string): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata: new Metadata() });
}
