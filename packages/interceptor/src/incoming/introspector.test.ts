import { TokenError } from '@tokenmesh/token';
import { beforeEach, expect, it } from 'vitest';
import { createIntrospector, type Introspection, type Introspector } from './introspector.ts';

let nowMs: number;
let monotonicMs: number;
/** Questions that were put to the issuer and have no answer yet, by token. */
let open: Map<string, PromiseWithResolvers<Introspection>>;
let asked: number;
let introspector: Introspector;

beforeEach(() => {
  nowMs = 0;
  monotonicMs = 0;
  asked = 0;
  open = new Map();
  const introspect = (compact: string) => {
    asked++;
    const question = Promise.withResolvers<Introspection>();
    open.set(compact, question);
    return question.promise;
  };
  introspector = createIntrospector(
    introspect,
    () => nowMs,
    () => monotonicMs,
  );
});

/** Asks, and says whether the question was refused. */
function isRefused(compact: string, from?: string): boolean {
  try {
    introspector.ask(compact, from === undefined ? {} : { from }).catch(() => {});
    return false;
  } catch (error) {
    if (error instanceof TokenError && error.reason === 'KEYS_UNAVAILABLE') return true;
    throw error;
  }
}

async function settle(compact: string, how: 'answer' | 'fail'): Promise<void> {
  const question = open.get(compact);
  if (how === 'answer') question?.resolve({ active: false });
  else question?.reject(new Error('down'));
  await new Promise((resolve) => setImmediate(resolve));
}

const sixteen = Array.from({ length: 16 }, (_, index) => `token ${index}`);

it.each(['answer', 'fail'] as const)('an %s frees one place of its address, and no more', async (how) => {
  for (const token of sixteen) expect(isRefused(token, '10.0.0.1')).toBe(false);
  expect(isRefused('one more', '10.0.0.1')).toBe(true);
  await settle('token 3', how);
  expect(isRefused('one more', '10.0.0.1')).toBe(false);
  expect(isRefused('two more', '10.0.0.1')).toBe(true);
});

it.each(['answer', 'fail'] as const)('an address whose questions all ended (%s) has all its places again', async (how) => {
  for (const token of sixteen) isRefused(token, '10.0.0.1');
  for (const token of sixteen) await settle(token, how);
  for (const token of sixteen) expect(isRefused(`${token} again`, '10.0.0.1')).toBe(false);
  expect(isRefused('one more', '10.0.0.1')).toBe(true);
});

it('questions about tokens that were verified are not limited', () => {
  for (let index = 0; index < 100; index++) expect(isRefused(`token ${index}`)).toBe(false);
  expect(asked).toBe(100);
});

it('T-44: ten thousand answers are kept, and the oldest is given up for one more', () => {
  for (let index = 0; index <= 10_000; index++) isRefused(`token ${index}`);
  expect(asked).toBe(10_001);
  isRefused('token 1');
  expect(asked).toBe(10_001);
  isRefused('token 0');
  expect(asked).toBe(10_002);
});

it('an issuer that could not be asked is left alone for 100 ms, and asked again then', async () => {
  isRefused('token 0');
  await settle('token 0', 'fail');
  nowMs += 99;
  const unasked = introspector.ask('token 1');
  expect(asked).toBe(1);
  await expect(unasked).rejects.toThrow('down');
  nowMs += 1;
  isRefused('token 1');
  await settle('token 1', 'answer');
  expect(asked).toBe(2);
});

it.each([
  ['a token that nobody has verified', 'a token that was', '10.0.0.1', undefined],
  ['a token that was verified', 'one that nobody has verified', undefined, '10.0.0.1'],
])('a failed question about %s keeps nobody from asking about %s', async (_, __, first, second) => {
  isRefused('token 0', first);
  await settle('token 0', 'fail');
  expect(isRefused('token 1', second)).toBe(false);
  expect(asked).toBe(2);
});

it('an issuer that could not be asked is not left alone for longer because the clock was set back', async () => {
  isRefused('token 0');
  await settle('token 0', 'fail');
  nowMs -= 3_600_000;
  monotonicMs += 100;
  isRefused('token 1');
  expect(asked).toBe(2);
});
