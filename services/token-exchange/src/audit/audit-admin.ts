import { Metadata, type ServerWritableStream, status } from '@grpc/grpc-js';
import { toStatus } from '@tokenmesh/interceptor';
import type { AdminHandlers, AuditEventMessage, WatchEventsRequest, WatchEventsResponse } from '@tokenmesh/proto';
import { TokenError } from '@tokenmesh/token';
import { answerUnary, logError } from '../doors/answer-unary.ts';
import type { EventLog } from '../event-log.ts';
import type { AuditEvent, AuditFilter, AuditPosition } from '../record/audit-records.ts';
import type { Store } from '../record/store.ts';
import type { AuditTrail } from './audit.ts';

export interface AuditAdminOptions {
  readonly store: Pick<Store, 'queryAudit'>;
  readonly audit: Pick<AuditTrail, 'watch'>;
  readonly log: EventLog;
}

/** The handlers of `tokenmesh.v1.Admin` that are about the audit. */
export interface AuditAdmin {
  readonly handlers: Pick<AdminHandlers, 'QueryEvents' | 'WatchEvents'>;
  /** Ends all live streams with UNAVAILABLE. */
  close(): void;
}

type WatchCall = ServerWritableStream<WatchEventsRequest, WatchEventsResponse>;

const defaultPageSize = 100;
const maxPageSize = 1000;
/** Events that wait for a slow reader before its stream is ended: it asks for what it missed with QueryEvents, and holds up nobody. */
const maxWaiting = 1000;

export function createAuditAdmin({ store, audit, log }: AuditAdminOptions): AuditAdmin {
  /** Open streams, and what stops each. */
  const live = new Map<WatchCall, () => void>();

  function forget(call: WatchCall): boolean {
    live.get(call)?.();
    return live.delete(call);
  }

  function end(call: WatchCall, code: status, details: string): void {
    // grpc-js sends what is emitted as error as the call's status
    if (forget(call)) call.emit('error', { code, details, metadata: new Metadata() });
  }

  async function watch(call: WatchCall): Promise<void> {
    const { kind, client_id } = call.request;
    live.set(call, () => {});
    call.once('cancelled', () => forget(call));
    const stop = await audit.watch((event) => {
      if ((kind !== '' && event.kind !== kind) || (client_id !== '' && event.who !== client_id)) return;
      if (call.writableLength >= maxWaiting) end(call, status.RESOURCE_EXHAUSTED, 'the stream is read too slowly');
      else call.write({ event: toMessage(event) });
    });
    if (!live.has(call)) return stop(); // cancelled meanwhile
    live.set(call, stop);
    call.sendMetadata(new Metadata()); // tells the caller that nothing is missed from here on
  }

  return {
    handlers: {
      QueryEvents: answerUnary(log, async ({ request }) => {
        const { since_ms, until_ms, kind, client_id, jti, txn, page_size, page_token } = request;
        const filter: AuditFilter = {
          ...(since_ms > 0 && { sinceMs: since_ms }),
          ...(until_ms > 0 && { untilMs: until_ms }),
          ...(kind && { kind }),
          ...(client_id && { who: client_id }),
          ...(jti && { jti }),
          ...(txn && { txn }),
        };
        const limit = Math.min(page_size || defaultPageSize, maxPageSize);
        const events = await store.queryAudit(filter, limit + 1, page_token === '' ? undefined : readPosition(page_token));
        const page = events.slice(0, limit);
        const last = page.at(-1);
        return { events: page.map(toMessage), next_page_token: last && events.length > limit ? `${last.t}.${last.chain}.${last.seq}` : '' };
      }),
      WatchEvents(call) {
        watch(call).catch((error: unknown) => {
          logError(log, call.getPath(), error);
          const { code, details } = toStatus(error);
          end(call, code, details);
        });
      },
    },
    close() {
      for (const call of live.keys()) end(call, status.UNAVAILABLE, 'token-exchange is stopping');
    },
  };
}

function readPosition(token: string): AuditPosition {
  const [, t, chain, seq] = /^(\d{1,15})\.(\d{1,15})\.(\d{1,15})$/.exec(token) ?? [];
  if (t === undefined) throw new TokenError('REQUEST_INVALID', 'page_token is not one that QueryEvents gave');
  return { t: Number(t), chain: Number(chain), seq: Number(seq) };
}

function toMessage({ chain, seq, t, kind, who, what, decision, reason, jti, txn, traceId, count }: AuditEvent): AuditEventMessage {
  return { chain, seq, t_ms: t, kind, who, what: { ...what }, decision, reason, jti, txn, trace_id: traceId, count };
}
