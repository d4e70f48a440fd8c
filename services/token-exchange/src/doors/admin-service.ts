import { callerOf, type Rule, servedMethods } from '@tokenmesh/interceptor';
import type { AdminHandlers } from '@tokenmesh/proto';
import { type TargetKind, targetKinds } from '@tokenmesh/revocation';
import { TokenError } from '@tokenmesh/token';
import { auditEntry } from '../audit/audit.ts';
import type { AuditAdmin } from '../audit/audit-admin.ts';
import type { EventLog } from '../event-log.ts';
import type { LiveIssuer } from '../grants/live-issuer.ts';
import { simulate } from '../grants/simulate.ts';
import { createKeyAdmin } from '../keys/key-admin.ts';
import type { KeyRotation } from '../keys/key-rotation.ts';
import type { StoredTarget } from '../record/revocation-records.ts';
import type { Store } from '../record/store.ts';
import type { RevocationTarget } from '../revocation/revocation.ts';
import type { RevocationLog } from '../revocation/revocation-log.ts';
import type { VerifierReports } from '../revocation/verifier-reports.ts';
import { answerUnary } from './answer-unary.ts';
import { toMessage } from './exchange-service.ts';

export interface AdminServiceOptions {
  readonly audit: AuditAdmin;
  readonly rotation: KeyRotation;
  readonly live: Pick<LiveIssuer, 'config' | 'policy'>;
  readonly store: Store;
  readonly revocations: RevocationLog;
  readonly reports: VerifierReports;
  /** What token-exchange itself serves. */
  readonly own: { readonly audience: string; readonly rules: readonly Rule[] };
  readonly log: EventLog;
  readonly now: () => number;
}

const defaultPageSize = 100;
const maxPageSize = 1000;
/** protocol section 7: what one event holds. */
const maxTargets = 500;
const maxNoteLength = 1000;

/** Handlers of `tokenmesh.v1.Admin`. Callers and their scopes were verified by the interceptor. */
export function createAdminService({
  live,
  store,
  revocations,
  reports,
  rotation,
  audit,
  own,
  log,
  now,
}: AdminServiceOptions): AdminHandlers {
  const ownRules = servedMethods(own.rules).methods.map(({ method, rule }) => ({ client_id: own.audience, method, rule, instances: 1 }));
  return {
    ...audit.handlers,
    ...createKeyAdmin({ store, revocations, rotation, rotateEveryMs: live.config.keys.rotateEveryMs, log, now }),

    AddRevocation: answerUnary(log, async (call) => {
      const { targets, request_id, note } = call.request;
      const requestedBy = callerOf(call).clientId;
      if (targets.length === 0 || targets.length > maxTargets) throw invalid(`1 to ${maxTargets} targets are needed`);
      const named = targets.map(({ kind, value }) => readTarget(kind, value));
      const acknowledgement = await revocations.append({ targets: named, requestedBy, requestId: request_id, note: readNote(note) });
      log.info({ event: 'revocation.added', by: requestedBy, targets: named, ...acknowledgement });
      return { acknowledgement: toMessage(acknowledgement) };
    }),

    ListRevocations: answerUnary(log, async ({ request: { page_size, before } }) => {
      const wanted = Math.min(page_size || defaultPageSize, maxPageSize);
      const below = before > 0 ? before : Number.MAX_SAFE_INTEGER;
      // one event more than wanted, so that a page never ends in the middle of one: `before` could not name the rest
      const rows = await store.listTargets(Math.floor(now() / 1000), below, wanted + maxTargets);
      return { revocations: cutBetweenEvents(rows, wanted).map(toRevocation) };
    }),

    SuspendWorkload: answerUnary(log, async (call) => {
      const { client_id, request_id, note } = call.request;
      const requestedBy = callerOf(call).clientId;
      if (!live.config.workloads.has(client_id)) throw invalid('the workload is not registered');
      const acknowledgement = await revocations.append({
        targets: (['client', 'subject', 'actor'] as const).map((kind) => ({ kind, value: client_id })),
        requestedBy,
        requestId: request_id,
        note: readNote(note),
        suspend: client_id,
      });
      log.warn({ event: 'workload.suspended', client_id, by: requestedBy, ...acknowledgement });
      return { acknowledgement: toMessage(acknowledgement) };
    }),

    ResumeWorkload: answerUnary(log, async (call) => {
      const { client_id } = call.request;
      if (!live.config.workloads.has(client_id)) throw invalid('the workload is not registered');
      await store.transaction(async (transaction) => {
        await transaction.resume(client_id);
        transaction.audit(auditEntry('workload.resumed', now, { who: callerOf(call).clientId, what: { workload: client_id } }));
      });
      log.warn({ event: 'workload.resumed', client_id, by: callerOf(call).clientId });
      return {};
    }),

    ListWorkloads: answerUnary(log, async () => {
      const suspended = new Set((await store.suspensions()).map(({ clientId }) => clientId));
      const workloads = [...live.config.workloads.keys()].sort().map((client_id) => ({
        client_id,
        suspended: suspended.has(client_id),
        audiences: [...live.policy.audiencesOf(client_id)],
      }));
      return { workloads };
    }),

    ListAccessRules: answerUnary(log, async ({ request: { client_id } }) => {
      if (client_id === own.audience) return { rules: ownRules };
      return { rules: client_id === '' ? [...reports.rules(), ...ownRules] : [...reports.rules(client_id)] };
    }),

    Simulate: answerUnary(log, async ({ request }) => {
      const suspended = new Set((await store.suspensions()).map(({ clientId }) => clientId));
      return simulate(request, { config: live.config, policy: live.policy, suspended });
    }),

    ListVerifiers: answerUnary(log, async () => ({
      verifiers: reports.list().map(({ clientId, reportedAtMs, instance, fresh_at_ms, n, kids, version, path }) => ({
        client_id: clientId,
        reported_at_ms: reportedAtMs,
        ...{ instance, fresh_at_ms, n, kids, version, path },
      })),
    })),
  };
}

const kinds: ReadonlySet<string> = new Set(targetKinds);
// one grammar for every handle: identities, ids and key ids are all of it, and what is checked is what is stored and compared
const handle = /^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/;

function readTarget(kind: string, value: string): RevocationTarget {
  if (!isTargetKind(kind)) throw invalid(`unknown kind of target; expected one of ${targetKinds.join(', ')}`);
  const handles = kind === 'all' ? [] : value.split(' ');
  const expected = kind === 'all' ? 0 : kind === 'grant' ? 2 : 1;
  if (kind === 'all' && value !== '') throw invalid('a target of kind all has no value');
  if (handles.length !== expected || !handles.every((part) => handle.test(part))) throw invalid(`not a value for a target of kind ${kind}`);
  return { kind, value };
}

function isTargetKind(kind: string): kind is TargetKind {
  return kinds.has(kind);
}

function readNote(note: string): string {
  if (note.length > maxNoteLength) throw invalid(`note must have at most ${maxNoteLength} characters`);
  return note;
}

/** The first `wanted` rows without the part of an event at their end; a first event that is larger than that comes whole. */
function cutBetweenEvents(rows: readonly StoredTarget[], wanted: number): readonly StoredTarget[] {
  const following = rows[wanted];
  if (!following) return rows;
  const whole = rows.slice(0, wanted).filter(({ n }) => n !== following.n);
  return whole.length > 0 ? whole : rows.filter(({ n }) => n === following.n);
}

function toRevocation({ kind, value, n, t, exp, revokedBy, note }: StoredTarget) {
  return { target: { kind, value }, n, revoked_at_ms: t, exp, revoked_by: revokedBy, note };
}

function invalid(what: string): TokenError {
  return new TokenError('REQUEST_INVALID', what);
}
