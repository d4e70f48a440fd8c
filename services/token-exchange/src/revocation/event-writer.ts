import { createHash } from 'node:crypto';
import { signEvent, type Target, type TargetKind } from '@tokenmesh/revocation';
import { TokenError } from '@tokenmesh/token';
import { auditEntry } from '../audit/audit.ts';
import type { KeyRing } from '../keys/keys.ts';
import type { StoredEvent } from '../record/revocation-records.ts';
import type { StoreTransaction } from '../record/store.ts';
import type { AppliedLog } from './applied-log.ts';
import type { ExpiryClock } from './expiry-clock.ts';
import type { Revocation, RevocationTarget } from './revocation.ts';

/** A revocation and what it is recognised by when it comes again. */
export interface RevocationRequest {
  readonly revocation: Revocation;
  /** SHA-256 of what is asked for. */
  readonly digest: string;
}

/** What one transaction did for one request; an error concerns this request alone. */
export type Outcome = { readonly n: number; readonly acknowledgedAtMs: number; readonly repeated: boolean } | TokenError;

/** What one transaction wrote. */
export interface WrittenEvent<Request extends RevocationRequest> {
  readonly outcomes: ReadonlyMap<Request, Outcome>;
  /** `undefined` when every request was a repetition, or refused. */
  readonly event: StoredEvent | undefined;
  readonly targets: readonly Target[];
}

/** Writes requests that share a transaction as one signed event. */
export type EventWriter = <Request extends RevocationRequest>(
  transaction: StoreTransaction,
  batch: readonly Request[],
) => Promise<WrittenEvent<Request>>;

export interface EventWriterOptions {
  readonly applied: Pick<AppliedLog, 'checkedHead'>;
  readonly keys: Pick<KeyRing, 'withdraw' | 'feedKey'>;
  readonly issuer: string;
  /** The trust domain. */
  readonly mesh: string;
  readonly epoch: string;
  /** The longest life of a token in seconds. */
  readonly ceilingSeconds: number;
  /**
   * How long a session may last, in seconds, that begins in a transaction which is open beside this one and so is not in the record yet; 0 where
   * none can be.
   */
  readonly begunSessionSeconds: () => number;
  /** Whether there is a courier that has to take the event. */
  readonly hasCourier: boolean;
  readonly clock: Pick<ExpiryClock, 'now' | 'latest'>;
  readonly newId: () => string;
}

/** protocol section 7: what one event holds. */
const maxTargets = 500;
/** Targets that the audit names; the event of the log at `n` has all. */
const maxAuditedTargets = 20;
/** Bytes of target values in one event when several requests share it: the signed event stays far below 512 KiB. */
const maxValueBytes = 128 * 1024;
/** Room for any id that a client makes up, and for `chain:` before a txn of 128 characters. */
const maxRequestIdLength = 256;
/** Verifiers may tolerate this difference of clocks at most (seconds), and so accept a token this long after its `exp`. */
const clockToleranceSeconds = 60;
/** How long verifiers keep and use a key that they can no longer ask about (protocol section 8): a stolen key must stay revoked for as long. */
const keyMemorySeconds = 24 * 60 * 60;

/**
 * The writer of one epoch's events: position, hash, signature, targets, request ids and audit, all in the given transaction.
 *
 * Rejects, and leaves the transaction to be undone, when the record's head is not of this epoch or lies behind what was applied here.
 */
export function createEventWriter(options: EventWriterOptions): EventWriter {
  const { applied, keys, issuer, mesh, epoch, ceilingSeconds, begunSessionSeconds, hasCourier, clock, newId } = options;
  const { now } = clock;

  function auditRevocation({ targets, requestedBy: who, note = '', suspend }: Revocation, n: number, transaction: StoreTransaction): void {
    const names = targets.slice(0, maxAuditedTargets).map(({ kind, value }) => (value === '' ? kind : `${kind} ${value}`));
    const [only] = targets;
    const what = { n: String(n), targets: names.join(', '), count: String(targets.length), note };
    // of a single token or chain, so that whoever asks for it by name finds its end as well
    const handle = (kind: TargetKind) => (targets.length === 1 && only?.kind === kind ? only.value : '');
    transaction.audit(auditEntry('revocation.added', now, { who, what, jti: handle('token'), txn: handle('chain') }));
    if (suspend) transaction.audit(auditEntry('workload.suspended', now, { who, what: { workload: suspend, note } }));
  }

  return async (transaction, batch) => {
    type Request = (typeof batch)[number];
    const { n: last, h: prev } = await applied.checkedHead(() => transaction.holdHead());
    const outcomes = new Map<Request, Outcome>();
    const fresh: Request[] = [];
    const answered = await transaction.findRequests(batch.flatMap(({ revocation }) => nameOf(revocation) ?? []));
    const earlier = new Map(answered.map((request) => [keyOf(request), request]));
    const inBatch = new Map<string, Request>();
    for (const request of batch) {
      const name = nameOf(request.revocation);
      const key = name && keyOf(name);
      const before = key ? earlier.get(key) : undefined;
      const first = before ?? (key ? inBatch.get(key) : undefined);
      if (!first) {
        fresh.push(request);
        if (key) inBatch.set(key, request);
      } else if (first.digest !== request.digest) {
        outcomes.set(request, new TokenError('REQUEST_INVALID', 'the request id was used for another revocation'));
      } else if (before) outcomes.set(request, { n: before.n, acknowledgedAtMs: before.acknowledgedAtMs, repeated: true });
    }
    if (fresh.length === 0) return { outcomes, event: undefined, targets: [] };

    const t = now();
    const iat = Math.floor(t / 1000);
    const n = last + 1;
    const longestLifeSeconds = await transaction.longestLife(ceilingSeconds);
    // tokens are issued for a session until it is over: what is taken back from it must not be forgotten before
    const latest = Math.floor(clock.latest() / 1000);
    const sessionSeconds = Math.max((await transaction.latestFamilyExp()) - latest, begunSessionSeconds());
    const targets = mergeTargets(fresh, latest, Math.max(longestLifeSeconds, sessionSeconds));
    const kids = kidsAmong(targets);
    const isFeedRekeyed = kids.length > 0 && (await keys.withdraw(transaction, kids)).includes('feed');
    // nobody can check events of a withdrawn key: who needs one of them takes a snapshot
    if (isFeedRekeyed) await transaction.forgetEvents(last);
    const { compact, hash } = signEvent(
      {
        iss: issuer,
        aud: mesh,
        iat,
        jti: newId(),
        epoch,
        n,
        t,
        prev,
        targets: targets.map(({ kind, value, exp }) => ({ kind, value, exp })),
      },
      await keys.feedKey(transaction),
    );
    const event: StoredEvent = { n, compact, hash, t };
    await transaction.appendEvent(
      { ...event, sent: !hasCourier },
      targets.map((target) => ({ ...target, n, t })),
    );
    for (const { revocation } of fresh) {
      const { requestedBy, suspend, note = '' } = revocation;
      auditRevocation(revocation, n, transaction);
      if (suspend) await transaction.suspend({ clientId: suspend, suspendedBy: requestedBy, suspendedAtMs: t, note });
    }
    await transaction.addRequests(
      [...inBatch.values()].flatMap(({ revocation, digest }) => {
        const name = nameOf(revocation);
        return name ? [{ ...name, digest, n, acknowledgedAtMs: t }] : [];
      }),
    );
    for (const request of batch) if (!outcomes.has(request)) outcomes.set(request, { n, acknowledgedAtMs: t, repeated: false });
    return { outcomes, event, targets };
  };
}

/** What a repetition of it is recognised by; `undefined`: it never is one. */
function nameOf({ requestedBy, requestId }: Revocation): { readonly requestedBy: string; readonly requestId: string } | undefined {
  return requestId ? { requestedBy, requestId } : undefined;
}

/** Two names, one text: an identity has no line feed in it. */
function keyOf({ requestedBy, requestId }: { readonly requestedBy: string; readonly requestId: string }): string {
  return `${requestedBy}\n${requestId}`;
}

/** @throws {TokenError} REQUEST_INVALID when the request id is longer than 256 characters. */
export function readRequest(revocation: Revocation): RevocationRequest {
  if ((revocation.requestId?.length ?? 0) > maxRequestIdLength) {
    throw new TokenError('REQUEST_INVALID', `a request id has at most ${maxRequestIdLength} characters`);
  }
  return { revocation, digest: digestOf(revocation) };
}

/** Takes requests for one event, in order: as many as fit, and at least one. */
export function takeBatch<Request extends RevocationRequest>(waiting: Request[]): readonly Request[] {
  let [targets, bytes] = [0, 0];
  const end = waiting.findIndex(({ revocation }) => {
    targets += revocation.targets.length;
    bytes += revocation.targets.reduce((sum, { value }) => sum + value.length, 0);
    return targets > maxTargets || bytes > maxValueBytes;
  });
  return waiting.splice(0, end === -1 ? waiting.length : Math.max(end, 1));
}

/** Signing keys that are revoked by these targets. */
export function kidsAmong(targets: readonly Target[]): readonly string[] {
  return targets.filter(({ kind }) => kind === 'key').map(({ value }) => value);
}

// one row for what several requests name: the log has one target for it, and the first who asked is on record
function mergeTargets(fresh: readonly RevocationRequest[], nowSeconds: number, longestLifeSeconds: number) {
  const merged = new Map<string, Target & { readonly revokedBy: string; readonly note: string }>();
  for (const { revocation } of fresh) {
    for (const target of revocation.targets) {
      const { kind, value } = target;
      const name = `${kind} ${value}`;
      const earlier = merged.get(name);
      const exp = Math.max(earlier?.exp ?? 0, expiryOf(target, nowSeconds, longestLifeSeconds));
      merged.set(name, {
        kind,
        value,
        exp,
        revokedBy: earlier?.revokedBy ?? revocation.requestedBy,
        note: earlier?.note ?? revocation.note ?? '',
      });
    }
  }
  return [...merged.values()];
}

function expiryOf({ kind, exp }: RevocationTarget, nowSeconds: number, longestLifeSeconds: number): number {
  const lastToken = exp ?? nowSeconds + longestLifeSeconds + 1; // a token that is being issued this second
  return lastToken + clockToleranceSeconds + (kind === 'key' ? keyMemorySeconds : 0);
}

/** What makes two requests the same request. */
function digestOf({ targets, suspend = '' }: Revocation): string {
  const content = [suspend, ...targets.map(({ kind, value }) => `${kind} ${value}`).sort()].join('\n');
  return createHash('sha256').update(content).digest('base64url');
}
