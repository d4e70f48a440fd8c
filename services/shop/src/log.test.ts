import { readFileSync } from 'node:fs';
import { context, TraceFlags, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { TokenError } from '@tokenmesh/token';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createLog, type Log } from './log.ts';
import { logEvents } from './log-events.ts';
import { createRefusalLog } from './refusal-log.ts';

// for the context that is active
const sdk = new NodeSDK({ spanProcessors: [], metricReaders: [], logRecordProcessors: [] });
beforeAll(() => sdk.start());
afterAll(() => sdk.shutdown());

let lines: string[];
let log: Log;
beforeEach(() => {
  lines = [];
  log = createLog('orders', { write: (line) => void lines.push(line) });
});

const written = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

it('writes one line of JSON with its level in words, an ISO time, the service, the event and its members', () => {
  log.info({ event: 'listening', port: 7000 });
  expect(lines).toEqual([expect.stringMatching(/^[^\n]+\n$/)]);
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(written()).toEqual([{ level: 'info', time, service: 'orders', event: 'listening', port: 7000 }]);
});

it('names the span of the call that was refused, and none where it says how many more there were', async () => {
  const refusals = createRefusalLog(log);
  const [traceId, spanId] = ['a'.repeat(32), 'b'.repeat(16)];
  const span = trace.wrapSpanContext({ traceId, spanId, traceFlags: TraceFlags.SAMPLED });
  const refused = { method: '/shop.v1.Orders/Create', error: new TokenError('TOKEN_EXPIRED', 'too late'), peer: '127.0.0.1:50000' };
  context.with(trace.setSpan(context.active(), span), () => {
    for (let made = 0; made < 11; made++) refusals.onRefused(refused);
  });
  await expect.poll(written, { timeout: 5_000 }).toHaveLength(11);
  expect(written()[0]).toMatchObject({ trace_id: traceId, span_id: spanId, trace_flags: '01' });
  expect(Object.keys(written()[10] ?? {})).toEqual(['level', 'time', 'service', 'event', 'of', 'reason', 'count']);
});

it('docs/reference/logs.md lists every event with its level and members, and no other', () => {
  const page = readFileSync(new URL('../../../docs/reference/logs.md', import.meta.url), 'utf8');
  const own = page.slice(page.indexOf('## The shop'), page.indexOf('## That nothing secret'));
  const named = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
  const rows = own.split('\n').filter((line) => line.startsWith('| `'));
  const listed = rows.map((row) => {
    const [, event = '', level = '', members = '', when = ''] = row.split('|');
    expect(when.trim(), event).not.toBe('');
    return { event: named(event).join(), level: named(level).join(), members: named(members) };
  });
  expect(listed).toEqual(Object.entries(logEvents).map(([event, described]) => ({ event, ...described })));
});
