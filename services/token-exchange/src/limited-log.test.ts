import { TokenError } from '@tokenmesh/token';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { logError } from './doors/answer-unary.ts';
import { type LimitedLog, limitLog } from './limited-log.ts';
import { createTestLog } from './testing.ts';

let written: ReturnType<typeof createTestLog>;
let log: LimitedLog;

beforeEach(() => {
  vi.useFakeTimers();
  written = createTestLog();
  log = limitLog(written);
});
afterEach(() => {
  vi.useRealTimers();
});

const refuse = (times: number, reason: 'TOKEN_EXPIRED' | 'GRANT_REUSED' = 'TOKEN_EXPIRED') => {
  for (let made = 0; made < times; made++) logError(log, '/tokenmesh.v1.TokenExchange/ExchangeToken', new TokenError(reason, 'too late'));
};
const events = () => written.entries.map(({ event }) => event);

it('writes ten of 10 000 refusals, and how many it left out when their second is over', () => {
  refuse(10_000);
  expect(events()).toEqual(Array(10).fill('call.refused'));
  vi.advanceTimersByTime(1000);
  expect(written.entries.slice(10)).toEqual([{ event: 'log.left_out', of: 'call.refused', reason: 'TOKEN_EXPIRED', count: 9990 }]);
});

it('begins anew in the next second, and says nothing of one in which all was written', () => {
  refuse(10);
  vi.advanceTimersByTime(1000);
  refuse(10);
  vi.advanceTimersByTime(1000);
  expect(events()).toEqual(Array(20).fill('call.refused'));
});

it('writes a refusal in a flood of those with another reason', () => {
  refuse(10_000);
  refuse(1, 'GRANT_REUSED');
  expect(written.entries.at(-1)).toMatchObject({ event: 'call.refused', reason: 'GRANT_REUSED' });
});

it('limits failures too, which have no reason', () => {
  for (let made = 0; made < 12; made++) logError(log, '/tokenmesh.v1.Admin/ListKeys', new Error('the disk is full'));
  log.close();
  expect(written.entries.slice(10)).toEqual([{ event: 'log.left_out', of: 'call.failed', count: 2 }]);
});

it('says when it is closed what it has left out until then', () => {
  refuse(11);
  log.close();
  expect(written.entries.at(-1)).toMatchObject({ event: 'log.left_out', count: 1 });
  expect(vi.getTimerCount()).toBe(0);
});

it('leaves nothing out of what callers cannot cause at will', () => {
  for (let made = 0; made < 100; made++) log.info({ event: 'token.issued', jti: String(made) });
  expect(written.entries).toHaveLength(100);
});
