import { TokenError } from '@tokenmesh/token';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { LogEntry } from './log-events.ts';
import { createRefusalLog, type RefusalLog } from './refusal-log.ts';

const method = '/shop.v1.Orders/Create';
const peer = '127.0.0.1:50000';

let written: LogEntry[];
let refusals: RefusalLog;

beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  refusals = createRefusalLog({ info: (entry) => void written.push(entry), warn: (entry) => void written.push(entry) });
});
afterEach(() => {
  vi.useRealTimers();
});

function refuse(times: number, reason: 'TOKEN_EXPIRED' | 'TOKEN_REVOKED' = 'TOKEN_EXPIRED'): void {
  for (let made = 0; made < times; made++) refusals.onRefused({ method, error: new TokenError(reason, 'too late'), peer });
}

it('says which call was refused, why, and where it came from', () => {
  refuse(1);
  expect(written).toEqual([{ event: 'call.refused', method, reason: 'TOKEN_EXPIRED', detail: 'too late', peer }]);
});

it('writes ten of 10 000 refusals, and how many it left out when their second is over', () => {
  refuse(10_000);
  expect(written.map(({ event }) => event)).toEqual(Array(10).fill('call.refused'));
  vi.advanceTimersByTime(1_000);
  expect(written.slice(10)).toEqual([{ event: 'log.left_out', of: 'call.refused', reason: 'TOKEN_EXPIRED', count: 9_990 }]);
});

it('writes a refusal in a flood of those with another reason', () => {
  refuse(10_000);
  refuse(1, 'TOKEN_REVOKED');
  expect(written.at(-1)).toMatchObject({ reason: 'TOKEN_REVOKED' });
});

it('begins anew in the next second, and says nothing of one in which all was written', () => {
  refuse(10);
  vi.advanceTimersByTime(1_000);
  refuse(10);
  vi.advanceTimersByTime(1_000);
  expect(written.map(({ event }) => event)).toEqual(Array(20).fill('call.refused'));
});

it('says when it is closed what it has left out until then', () => {
  refuse(11);
  refusals.close();
  expect(written.at(-1)).toMatchObject({ event: 'log.left_out', count: 1 });
  expect(vi.getTimerCount()).toBe(0);
});
