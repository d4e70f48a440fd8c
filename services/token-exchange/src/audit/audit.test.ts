import { context, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { exchangeToken } from '../grants/exchange-token.ts';
import type { AuditEvent } from '../record/audit-records.ts';
import { authenticate, createTestIssuer, exchangeRequest, gateway, orders, type TestIssuer } from '../testing.ts';
import { type AuditTrail, auditEntry, openAuditTrail } from './audit.ts';

let issuer: TestIssuer;
let trail: AuditTrail;
let problems: string[];
/** Fails writing when set. */
let broken: Error | undefined;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  issuer = await createTestIssuer();
  [problems, broken] = [[], undefined];
  const { store } = issuer;
  trail = openAuditTrail({
    store: { ...store, transaction: (work) => (broken ? Promise.reject(broken) : store.transaction(work)) },
    keepMs: () => 1000,
    now: issuer.now,
    onProblem: (problem) => problems.push(problem),
  });
});
afterEach(async () => {
  vi.useRealTimers();
  await trail.close();
  await issuer.close();
});

const refuse = (overrides: Partial<Parameters<AuditTrail['refused']>[0]> = {}) =>
  trail.refused({ kind: 'token.refused', who: 'a', what: { aud: 'b' }, reason: 'SCOPE_REFUSED', ...overrides });
const refusals = async () =>
  (await issuer.store.queryAudit({ kind: 'token.refused' }, 1000)).map(({ who, what, reason, count }) => ({ who, what, reason, count }));
const write = (jti: string, t = issuer.now()) =>
  issuer.store.transaction(async (transaction) => transaction.audit(auditEntry('token.issued', () => t, { jti })));

describe('refusals in the audit', () => {
  it('are written together within a second, those alike as one event with their count', async () => {
    for (let n = 0; n < 500; n++) refuse();
    refuse({ who: 'c' });
    expect(await refusals()).toEqual([]);
    vi.advanceTimersByTime(1000);
    await vi.waitFor(async () => expect(await refusals()).toHaveLength(2));
    const what = { aud: 'b' };
    expect((await refusals()).reverse()).toEqual([
      { who: 'a', what, reason: 'SCOPE_REFUSED', count: 500 },
      { who: 'c', what, reason: 'SCOPE_REFUSED', count: 1 },
    ]);
  });

  it('are told apart up to 100 in a second, and the others counted by their reason: a flood fills no disk', async () => {
    for (let n = 0; n < 5000; n++) refuse({ who: `w${n}`, reason: n % 2 === 0 ? 'TARGET_REFUSED' : 'SCOPE_REFUSED' });
    await trail.close();
    const written = await refusals();
    expect(written).toHaveLength(102);
    expect(written.reduce((sum, { count }) => sum + count, 0)).toBe(5000);
    expect(written.filter(({ who }) => who === '')).toEqual([
      { who: '', what: { others: 'yes' }, reason: 'SCOPE_REFUSED', count: 2450 },
      { who: '', what: { others: 'yes' }, reason: 'TARGET_REFUSED', count: 2450 },
    ]);
  });

  it('wait while the record cannot be written, and are not lost', async () => {
    broken = new Error('the disk is full');
    refuse();
    vi.advanceTimersByTime(1000);
    await vi.waitFor(() => expect(problems).toEqual(['audit.write_failed']));
    refuse();
    broken = undefined;
    await trail.close();
    expect(await refusals()).toMatchObject([{ who: 'a', count: 2 }]);
  });
});

describe('an entry', () => {
  it('names the trace that it belongs to', async () => {
    const sdk = new NodeSDK({ spanProcessors: [], metricReaders: [], logRecordProcessors: [] });
    sdk.start();
    const traceId = 'ab'.repeat(16);
    const span = trace.wrapSpanContext({ traceId, spanId: 'cd'.repeat(8), traceFlags: 1 });
    const request = { ...authenticate(gateway, issuer.now), grant_type: 'client_credentials', audience: orders };
    await context.with(trace.setSpan(context.active(), span), () => exchangeToken(exchangeRequest(request), issuer));
    await sdk.shutdown();
    expect(await issuer.store.queryAudit({ who: gateway }, 10)).toMatchObject([{ kind: 'token.issued', traceId }]);
    expect(auditEntry('k', issuer.now, {}).traceId).toBe('');
  });
});

describe('those who watch', () => {
  it('are told of what is committed after they began, in order, until they stop', async () => {
    await write('before');
    const told: AuditEvent[] = [];
    const stop = await trail.watch((event) => told.push(event));
    await write('one');
    await write('two');
    vi.advanceTimersByTime(200);
    await vi.waitFor(() => expect(told.map(({ jti }) => jti)).toEqual(['one', 'two']));
    stop();
    await write('three');
    vi.advanceTimersByTime(200);
    const later: AuditEvent[] = [];
    await trail.watch((event) => later.push(event));
    await write('four');
    vi.advanceTimersByTime(200);
    await vi.waitFor(() => expect(later.map(({ jti }) => jti)).toEqual(['four']));
    expect(told).toHaveLength(2);
  });
});

describe('what is older than audit.keep', () => {
  it('is forgotten, and the rest still verifies', async () => {
    const before = (await issuer.store.queryAudit({}, 100)).length;
    await write('old', issuer.now() - 1001);
    issuer.clock.nowMs += 1001;
    await write('new');
    vi.advanceTimersByTime(60_000);
    await vi.waitFor(async () => expect((await issuer.store.queryAudit({}, 100)).map(({ jti }) => jti)).toEqual(['new']));
    expect(before).toBeGreaterThan(0);
    expect((await issuer.store.verifyAudit()).breaks).toEqual([]);
  });
});
