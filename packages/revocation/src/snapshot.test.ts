import { tokenmesh } from '@tokenmesh/proto';
import { exportJwk, generateSigningKey, importJwks, signJws, TokenError, tokenTypes } from '@tokenmesh/token';
import { expect, test } from 'vitest';
import { type Checkpoint, openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { genesisHash } from './event.ts';
import type { Entry } from './revocation-set.ts';
import { openSnapshot, signSnapshot } from './snapshot.ts';

const key = generateSigningKey();
const keys = importJwks([exportJwk(key)]);
const expected = { issuer: 'https://token-exchange.shop.test', mesh: 'shop.test' };
const at = { iss: expected.issuer, aud: expected.mesh, epoch: 'e1', n: 9, h: genesisHash('e1'), t: 1_800_000_000_123, s: 5_000 };

function reasonOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    throw error;
  }
  return 'none';
}

function someEntries(count: number): Entry[] {
  return Array.from({ length: count }, (_, index) => ({
    kind: 'token',
    value: `jti-${index}`.padEnd(22, '_'),
    exp: 7,
    n: 1 + (index % 9),
    t: 5,
  }));
}

test.each([0, 1, 20_000])('a snapshot of %i entries is opened as it was signed', (count) => {
  const entries = someEntries(count);
  const signed = signSnapshot(at, entries, key);
  const opened = openSnapshot(signed, keys, expected);
  expect(opened.head).toMatchObject(at);
  expect(opened.entries).toEqual(entries);
});

test('chunks stay below 256 KiB, and are messages of the wire', () => {
  const { chunks } = signSnapshot(at, someEntries(20_000), key);
  expect(chunks.length).toBeGreaterThan(1);
  for (const chunk of chunks) expect(chunk.byteLength).toBeLessThanOrEqual(256 * 1024);
  expect(tokenmesh.SnapshotEntries.deserialize(Buffer.from(chunks[0] ?? '')).entries[0]).toEqual(someEntries(1)[0]);
});

test('a snapshot with a chunk that is missing, changed, added or moved is refused', () => {
  const { head, chunks } = signSnapshot(at, someEntries(20_000), key);
  const flipped = chunks.map((chunk) => Uint8Array.from(chunk));
  const last = flipped.at(-1);
  if (last !== undefined) last[last.length - 1] = (last.at(-1) ?? 0) ^ 1;
  for (const forged of [chunks.slice(1), flipped, [...chunks, chunks[0] ?? new Uint8Array()], chunks.toReversed(), []]) {
    expect(reasonOf(() => openSnapshot({ head, chunks: forged }, keys, expected))).toBe('TOKEN_SIGNATURE_INVALID');
  }
});

test('a snapshot by another key, for another mesh or of another typ is refused', () => {
  const foreign = signSnapshot(at, [], generateSigningKey());
  expect(reasonOf(() => openSnapshot(foreign, keys, expected))).toBe('SIGNING_KEY_UNKNOWN');
  expect(reasonOf(() => openSnapshot(signSnapshot({ ...at, aud: 'other.test' }, [], key), keys, expected))).toBe('AUDIENCE_MISMATCH');
  const { digest } = openSnapshot(signSnapshot(at, [], key), keys, expected).head;
  const head = signJws({ ...at, digest }, { typ: tokenTypes.checkpoint, key });
  expect(reasonOf(() => openSnapshot({ head, chunks: [] }, keys, expected))).toBe('TOKEN_TYPE_REJECTED');
});

test('an entry from beyond the head, or that names no target, is not signed', () => {
  const [entry] = someEntries(1);
  if (entry === undefined) throw new Error('no entry');
  expect(reasonOf(() => signSnapshot(at, [{ ...entry, n: 9 }], key))).toBe('none');
  expect(reasonOf(() => signSnapshot(at, [{ ...entry, n: 10 }], key))).toBe('TOKEN_MALFORMED');
  expect(reasonOf(() => signSnapshot(at, [{ ...entry, value: '' }], key))).toBe('TOKEN_MALFORMED');
});

test('a chunk that is no message is refused although its digest is signed', () => {
  const chunk = Uint8Array.of(0x0a, 0xff);
  const digest = openSnapshot(signSnapshot(at, [], key), keys, expected).head.digest;
  expect(digest).toBe('47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU');
  const head = signJws({ ...at, digest: 'I8-vHRnPAHtyGs6M7gaqMEhb-OZ_YqYkwAUXZDgtoC0' }, { typ: tokenTypes.snapshot, key });
  expect(reasonOf(() => openSnapshot({ head, chunks: [chunk] }, keys, expected))).toMatch(/TOKEN_/);
});

test('a checkpoint is opened as it was signed, with and without nonce', () => {
  const checkpoints: Checkpoint[] = [at, { ...at, n: 0, nonce: 'a nonce'.replace(' ', '-') }];
  for (const checkpoint of checkpoints) expect(openCheckpoint(signCheckpoint(checkpoint, key), keys, expected)).toEqual(checkpoint);
});

test('T-28 a checkpoint by another key, for another mesh, of another issuer or of another typ is refused', () => {
  expect(reasonOf(() => openCheckpoint(signCheckpoint(at, generateSigningKey()), keys, expected))).toBe('SIGNING_KEY_UNKNOWN');
  expect(reasonOf(() => openCheckpoint(signCheckpoint({ ...at, aud: 'other.test' }, key), keys, expected))).toBe('AUDIENCE_MISMATCH');
  expect(reasonOf(() => openCheckpoint(signCheckpoint({ ...at, iss: 'https://evil.test' }, key), keys, expected))).toBe('ISSUER_UNTRUSTED');
  for (const typ of [tokenTypes.event, tokenTypes.snapshot, tokenTypes.serviceToken, 'JWT']) {
    expect(reasonOf(() => openCheckpoint(signJws(at, { typ, key }), keys, expected))).toBe('TOKEN_TYPE_REJECTED');
  }
});

test('T-44 S lies between 100 ms and an hour', () => {
  for (const s of [100, 3_600_000]) expect(reasonOf(() => signCheckpoint({ ...at, s }, key))).toBe('none');
  for (const s of [99, 3_600_001]) expect(reasonOf(() => signCheckpoint({ ...at, s }, key))).toBe('TOKEN_MALFORMED');
});

test('T-44 a nonce has 1 to 128 characters', () => {
  for (const length of [1, 128]) expect(reasonOf(() => signCheckpoint({ ...at, nonce: 'n'.repeat(length) }, key))).toBe('none');
  for (const length of [0, 129]) expect(reasonOf(() => signCheckpoint({ ...at, nonce: 'n'.repeat(length) }, key))).toBe('TOKEN_MALFORMED');
});

test('T-44 a checkpoint and the head of a snapshot have 4 096 bytes at most', () => {
  for (const sign of [(iss: string) => signCheckpoint({ ...at, iss }, key), (iss: string) => signSnapshot({ ...at, iss }, [], key).head]) {
    let longest = 1;
    for (let step = 2_048; step >= 1; step /= 2) if (reasonOf(() => sign('i'.repeat(longest + step))) === 'none') longest += step;
    expect(sign('i'.repeat(longest)).length).toBeGreaterThan(4_096 - 2);
    expect(sign('i'.repeat(longest)).length).toBeLessThanOrEqual(4_096);
    expect(reasonOf(() => sign('i'.repeat(longest + 1)))).toBe('TOKEN_MALFORMED');
  }
});
