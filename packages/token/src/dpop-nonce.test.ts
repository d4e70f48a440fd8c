import { expect, it } from 'vitest';
import { createDpopNonces, nonceWindowMs } from './dpop-nonce.ts';

const start = nonceWindowMs * 5_000_000;
let nowMs = start;
const noncesOf = (fill: number) => createDpopNonces(Buffer.alloc(32, fill), () => nowMs);
const nonces = noncesOf(7);
const nonceAt = (ms: number) => {
  nowMs = ms;
  return nonces.current();
};
const isAcceptedAt = (ms: number, nonce: string) => {
  nowMs = ms;
  return nonces.accepted().includes(nonce);
};

it('a nonce is accepted until the window after its own is over', () => {
  const given = nonceAt(start);
  expect(given).toMatch(/^[A-Za-z0-9_-]{22}$/);
  expect(isAcceptedAt(start, given)).toBe(true);
  expect(isAcceptedAt(start + 2 * nonceWindowMs - 1, given)).toBe(true);
  expect(isAcceptedAt(start + 2 * nonceWindowMs, given)).toBe(false);
});

it('a nonce is another one in each window', () => {
  expect(nonceAt(start + nonceWindowMs - 1)).toBe(nonceAt(start));
  expect(nonceAt(start + nonceWindowMs)).not.toBe(nonceAt(start));
});

it('the nonce of the next window is accepted 5 s ahead, from a server whose clock is', () => {
  const next = nonceAt(start + nonceWindowMs);
  expect(isAcceptedAt(start + nonceWindowMs - 5000, next)).toBe(true);
  expect(isAcceptedAt(start + nonceWindowMs - 5001, next)).toBe(false);
});

it('a nonce is accepted by every server with the same key, and by none with another', () => {
  expect(noncesOf(7).accepted()).toContain(nonceAt(start));
  expect(noncesOf(8).accepted()).not.toContain(nonceAt(start));
});

it('the key has 32 bytes at least', () => {
  expect(() => createDpopNonces(Buffer.alloc(31), () => 0)).toThrow(TypeError);
  expect(() => createDpopNonces(Buffer.alloc(32), () => 0)).not.toThrow();
});
