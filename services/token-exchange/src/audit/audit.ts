import { isSpanContextValid, trace } from '@opentelemetry/api';
import { every } from '../every.ts';
import type { AuditEntry, AuditEvent, AuditRecords } from '../record/audit-records.ts';
import type { Store } from '../record/store.ts';

/** The one who acts when nobody asked for it: rotation, configuration. */
const tokenExchangeItself = 'token-exchange';

/** An entry of now, with the active span's trace; what is not given is empty, and allowed. */
export function auditEntry(kind: string, now: () => number, fields: Partial<AuditEntry>): AuditEntry {
  const span = trace.getActiveSpan()?.spanContext();
  return {
    t: now(),
    kind,
    who: tokenExchangeItself,
    what: {},
    decision: 'allowed',
    reason: '',
    jti: '',
    txn: '',
    traceId: span && isSpanContextValid(span) ? span.traceId : '',
    count: 1,
    ...fields,
  };
}

/** A refusal, as far as it may be told. */
export interface AuditedRefusal {
  readonly kind: string;
  readonly who: string;
  readonly what: Readonly<Record<string, string>>;
  readonly reason: string;
}

/** The part of the audit that works in the background: refusals, those who watch, and forgetting. */
export interface AuditTrail {
  /**
   * Notes a refusal. It is written within a second, and repetitions within that second as one event with their count: refusing costs no commit, and
   * a flood of refusals fills neither the memory nor the disk.
   */
  refused(refusal: AuditedRefusal): void;
  /**
   * Tells of events as they are committed, by whichever replica, within 200 ms. Each chain in its order.
   *
   * @returns When whatever is committed from here on will be told; the function stops it.
   */
  watch(listener: (event: AuditEvent) => void): Promise<() => void>;
  /** Writes what is still noted, and stops. */
  close(): Promise<void>;
}

export interface AuditTrailOptions {
  readonly store: Pick<Store, 'transaction' | keyof AuditRecords>;
  /** Events older than this are forgotten. Asked each time: it may change. */
  readonly keepMs: () => number;
  readonly now: () => number;
  readonly onProblem: (problem: 'audit.write_failed' | 'audit.read_failed' | 'audit.trim_failed', error: unknown) => void;
}

const flushIntervalMs = 1000;
const pollIntervalMs = 200;
const trimIntervalMs = 60_000;
/** Refusals of one second that are told apart; the others are counted together by their reason. */
const maxDistinctRefusals = 100;
const maxPage = 500;

export function openAuditTrail({ store, keepMs, now, onProblem }: AuditTrailOptions): AuditTrail {
  let noted = new Map<string, AuditEntry>();
  const listeners = new Set<(event: AuditEvent) => void>();
  /** Where each chain was when it was last looked at; absent while nobody watches. */
  let seen: Map<number, number> | undefined;

  function note(entry: AuditEntry): void {
    const exact = [entry.kind, entry.who, entry.reason, JSON.stringify(entry.what)].join('\n');
    const isDistinct = noted.has(exact) || noted.size < maxDistinctRefusals;
    const key = isDistinct ? exact : [entry.kind, entry.reason].join('\n');
    const earlier = noted.get(key);
    const first = earlier ?? (isDistinct ? entry : { ...entry, who: '', what: { others: 'yes' } });
    noted.set(key, { ...first, count: (earlier?.count ?? 0) + entry.count });
  }

  async function flush(): Promise<void> {
    const entries = [...noted.values()];
    if (entries.length === 0) return;
    noted = new Map();
    try {
      await store.transaction(async (transaction) => {
        for (const entry of entries) transaction.audit(entry);
      });
    } catch (error) {
      for (const entry of entries) note(entry);
      throw error;
    }
  }

  async function poll(): Promise<void> {
    if (!seen) return;
    const cursors = seen;
    for (const [chain, head] of await store.auditHeads()) {
      for (let seq = cursors.get(chain) ?? 0; seq < head; ) {
        const events = await store.auditAfter(chain, seq, maxPage);
        const last = events.at(-1);
        if (!last || seen !== cursors) break; // forgotten already, or nobody watches any more
        for (const event of events) for (const listener of listeners) listener(event);
        seq = last.seq;
        cursors.set(chain, seq);
      }
    }
  }

  const flushing = every(flushIntervalMs, flush, (error) => onProblem('audit.write_failed', error));
  const polling = every(pollIntervalMs, poll, (error) => onProblem('audit.read_failed', error));
  const trimming = every(
    trimIntervalMs,
    () => store.trimAudit(now() - keepMs()),
    (error) => onProblem('audit.trim_failed', error),
  );

  return {
    refused: ({ kind, who, what, reason }) => note(auditEntry(kind, now, { who, what, reason, decision: 'refused' })),
    async watch(listener) {
      const heads = await store.auditHeads();
      seen ??= new Map(heads);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) seen = undefined;
      };
    },
    async close() {
      await Promise.all([polling(), trimming(), flushing()]);
      await flush().catch((error: unknown) => onProblem('audit.write_failed', error));
    },
  };
}
