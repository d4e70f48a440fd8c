import { createHash } from 'node:crypto';
import { exportJwk, generateSigningKey, importJwks, type JsonObject, signJws, TokenError, tokenTypes } from '@tokenmesh/token';
import { expect, test } from 'vitest';
import { type Checkpoint, openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { genesisHash } from './event.ts';
import type { PackedEntries } from './packed-entries.ts';
import { createRevocationSet, type RevocableToken } from './revocation-set.ts';
import { openSnapshot, signSnapshot } from './snapshot.ts';
import { type TargetKind, targetKinds } from './target.ts';

const key = generateSigningKey();
const keys = importJwks([exportJwk(key)]);
const expected = { issuer: 'https://token-exchange.shop.test', mesh: 'shop.test' };
const at = { iss: expected.issuer, aud: expected.mesh, epoch: 'e1', n: 9, h: genesisHash('e1'), t: 1_800_000_000_123, s: 5_000 };
const alive = 1_800_000_900;

function reasonOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    throw error;
  }
  return 'none';
}

async function refusalOf(running: Promise<unknown>): Promise<TokenError> {
  const error = await running.then(
    () => new Error('it was accepted'),
    (reason: unknown) => reason,
  );
  if (error instanceof TokenError) return error;
  throw error;
}

function someEntries(count: number): PackedEntries {
  const set = createRevocationSet('e1');
  const targets = Array.from({ length: count }, (_, index) => ({ kind: 'token', value: `jti-${index}`, exp: alive }) as const);
  for (let n = 1; n <= 9; n++) set.apply({ n, t: 5_999, targets: targets.filter((_, index) => 1 + (index % 9) === n) });
  return set.capture();
}

const tokenOf = (jti: string): RevocableToken => ({ kid: 'k', claims: { sub: 's', aud: 'a', iat: 0, jti } });

/** A head that says what it is told to, over these chunks, and is signed as it should be. */
function signedHead(chunks: readonly Uint8Array[], change: JsonObject = {}): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  const count = chunks.reduce((sum, { length }) => sum + length / 24, 0);
  const payload = { ...at, digest: hash.digest('base64url'), form: 'hsip64-1', count, until: { token: alive }, ...change };
  return signJws(payload, { typ: tokenTypes.snapshot, key });
}

const opening = (chunks: readonly Uint8Array[], change?: JsonObject) =>
  openSnapshot({ head: signedHead(chunks, change), chunks }, keys, expected);

test.each([0, 1, 20_000])('a snapshot of %i entries is opened as it was signed', async (count) => {
  const signed = await signSnapshot(at, someEntries(count), key);
  const { head, entries } = await openSnapshot(signed, keys, expected);
  expect(head).toMatchObject(at);
  expect(entries.size).toBe(count);
  const set = createRevocationSet();
  set.load(entries);
  for (let index = 0; index < count; index += 37) expect(set.find(tokenOf(`jti-${index}`))).toMatchObject({ n: 1 + (index % 9) });
  expect(set.find(tokenOf('another'))).toBeUndefined();
});

test('every kind comes through a snapshot with its position, its time and its end', async () => {
  const set = createRevocationSet('e1');
  const nameOf = (kind: TargetKind) => (kind === 'all' ? '' : kind === 'grant' ? 'c a' : `of ${kind}`);
  for (const [index, kind] of targetKinds.entries()) {
    set.apply({ n: 3, t: 7_000, targets: [{ kind, value: nameOf(kind), exp: 100 + index }] });
  }
  const copy = createRevocationSet();
  copy.load((await openSnapshot(await signSnapshot(at, set.capture(), key), keys, expected)).entries);
  const token = (claims: Partial<RevocableToken['claims']>) => ({ kid: 'k', claims: { sub: 's', aud: 'x', iat: 0, rn: 3, ...claims } });
  expect([copy.find(token({ rn: 2 })), copy.find(token({}))]).toEqual([{ kind: 'all', value: '', n: 3 }, undefined]);
  expect(copy.find({ ...token({}), kid: nameOf('key') })).toMatchObject({ kind: 'key' });
  const foreign = { kid: 'k', claims: { sub: nameOf('subject'), aud: 'x' } };
  expect(copy.find({ ...foreign, claims: { ...foreign.claims, iat: 7 } })).toBeDefined();
  expect(copy.find({ ...foreign, claims: { ...foreign.claims, iat: 8 } })).toBeUndefined();
  for (const index of targetKinds.keys()) {
    copy.expire(100 + index);
    expect(copy.size).toBe(targetKinds.length - index);
  }
});

test('chunks stay below 256 KiB, and an entry takes 24 bytes', async () => {
  const { chunks } = await signSnapshot(at, someEntries(20_000), key);
  expect(chunks.length).toBe(2);
  for (const chunk of chunks) expect(chunk.byteLength).toBeLessThanOrEqual(256 * 1024);
  expect(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(20_000 * 24);
});

test('a snapshot is written as its form says, byte for byte', async () => {
  const set = createRevocationSet('e1');
  set.apply({ n: 2 ** 32 + 7, t: 1_800_000_000_999, targets: [{ kind: 'token', value: 'jti-1', exp: 2 ** 33 + 5 }] });
  const { head, chunks } = await signSnapshot({ ...at, n: 2 ** 40 }, set.capture(), key);
  // the fingerprint was computed by a program of its own (Python), from the description of the form
  expect(Buffer.concat(chunks).toString('hex')).toBe('c229f02efbdbb37f0700000000d2496b0500000001000008');
  const payload = JSON.parse(Buffer.from(head.split('.')[1] ?? '', 'base64url').toString('utf8'));
  expect(payload).toMatchObject({ form: 'hsip64-1', count: 1, until: { token: 2 ** 33 + 5 } });
});

test('a snapshot with a chunk that is missing, changed, added or moved is refused', async () => {
  const { head, chunks } = await signSnapshot(at, someEntries(20_000), key);
  const flipped = (byte: number) => {
    const copies = chunks.map((chunk) => Uint8Array.from(chunk));
    const last = copies.at(-1);
    if (last !== undefined) last[last.length - byte] = (last.at(-byte) ?? 0) ^ 1;
    return copies;
  };
  const [first = new Uint8Array()] = chunks;
  for (let byte = 1; byte <= 24; byte++) {
    const { reason } = await refusalOf(openSnapshot({ head, chunks: flipped(byte) }, keys, expected));
    expect(['TOKEN_SIGNATURE_INVALID', 'TOKEN_MALFORMED']).toContain(reason);
  }
  for (const forged of [chunks.slice(1), chunks.slice(0, 1), [...chunks, first], chunks.toReversed(), []]) {
    expect((await refusalOf(openSnapshot({ head, chunks: forged }, keys, expected))).reason).toMatch(
      /^TOKEN_(SIGNATURE_INVALID|MALFORMED)$/,
    );
  }
  const foreign = await signSnapshot(at, someEntries(19_999), key);
  expect((await refusalOf(openSnapshot({ head, chunks: foreign.chunks }, keys, expected))).reason).toBe('TOKEN_SIGNATURE_INVALID');
});

test('a snapshot by another key, for another mesh or of another typ is refused', async () => {
  const none = someEntries(0);
  const opened = async (signing: ReturnType<typeof signSnapshot>) => (await refusalOf(openSnapshot(await signing, keys, expected))).reason;
  expect(await opened(signSnapshot(at, none, generateSigningKey()))).toBe('SIGNING_KEY_UNKNOWN');
  expect(await opened(signSnapshot({ ...at, aud: 'other.test' }, none, key))).toBe('AUDIENCE_MISMATCH');
  const { digest } = (await openSnapshot(await signSnapshot(at, none, key), keys, expected)).head;
  const head = signJws({ ...at, digest, form: 'hsip64-1', count: 0, until: {} }, { typ: tokenTypes.checkpoint, key });
  expect((await refusalOf(openSnapshot({ head, chunks: [] }, keys, expected))).reason).toBe('TOKEN_TYPE_REJECTED');
});

test('nothing of a snapshot is read before the signature of its head is checked', async () => {
  let read = 0;
  const chunks = {
    *[Symbol.iterator]() {
      read++;
      yield new Uint8Array(24);
    },
  };
  const { head } = await signSnapshot(at, someEntries(1), generateSigningKey());
  expect((await refusalOf(openSnapshot({ head, chunks }, keys, expected))).reason).toBe('SIGNING_KEY_UNKNOWN');
  expect(read).toBe(0);
});

test('an entry from beyond the head is not signed, nor one of another epoch', async () => {
  await signSnapshot({ ...at, n: 9 }, someEntries(9), key);
  expect((await refusalOf(signSnapshot({ ...at, n: 8 }, someEntries(9), key))).reason).toBe('TOKEN_MALFORMED');
  await expect(signSnapshot({ ...at, epoch: 'e2' }, someEntries(1), key)).rejects.toThrow(TypeError);
});

test('entries of a form that is not known are refused, and the message says so', async () => {
  const { chunks } = await signSnapshot(at, someEntries(1), key);
  expect((await opening(chunks)).entries.size).toBe(1);
  for (const form of ['hsip64-2', undefined, 1]) {
    const error = await refusalOf(opening(chunks, { form: form as string }));
    expect([error.reason, error.message]).toEqual(['TOKEN_MALFORMED', expect.stringContaining('not of the form hsip64-1')]);
  }
});

test.each<[string, (chunk: Buffer) => readonly Uint8Array[], JsonObject?]>([
  ['a part of an entry', (chunk) => [chunk.subarray(0, 47)], { count: 2 }],
  ['an empty chunk', (chunk) => [chunk, new Uint8Array()]],
  ['an entry twice', (chunk) => [Buffer.concat([chunk.subarray(0, 24), chunk])]],
  ['entries out of order', (chunk) => [Buffer.concat([chunk.subarray(24, 48), chunk.subarray(0, 24)])]],
  ['more entries than its head says', (chunk) => [chunk], { count: 1 }],
  ['fewer entries than its head says', (chunk) => [chunk], { count: 4 }],
  ['a number of entries that no memory holds', (chunk) => [chunk], { count: Number.MAX_SAFE_INTEGER }],
  ['a negative number of entries', () => [], { count: -1 }],
  ['an entry at position 0', (chunk) => [Buffer.concat([chunk.subarray(0, 8), Buffer.alloc(4), chunk.subarray(12)])]],
  ['an entry beyond its head', (chunk) => [chunk], { n: 1 }],
  ['an entry that lives longer than its head says', (chunk) => [chunk], { until: { token: alive - 1 } }],
  ['a kind that is not known', (chunk) => [chunk], { until: { token: alive, robot: 1 } }],
  ['an end that is no number', (chunk) => [chunk], { until: { token: 'never' } }],
  ['ends that are a list', (chunk) => [chunk], { until: [alive] }],
])('a snapshot with %s is refused although its head is signed', async (_, change, head) => {
  const { chunks } = await signSnapshot(at, someEntries(3), key);
  expect((await refusalOf(opening(change(Buffer.concat(chunks)), head))).reason).toBe('TOKEN_MALFORMED');
});

test('a chunk above 256 KiB is refused although its head is signed', async () => {
  const { chunks } = await signSnapshot(at, someEntries(11_000), key);
  expect((await opening(chunks)).entries.size).toBe(11_000);
  expect((await refusalOf(opening([Buffer.concat(chunks)]))).reason).toBe('TOKEN_MALFORMED');
});

test('a snapshot is not read on once there are more entries than its head says', async () => {
  const { chunks } = await signSnapshot(at, someEntries(3), key);
  let read = 0;
  const endless = {
    *[Symbol.iterator]() {
      for (; read < 5; read++) yield* chunks;
    },
  };
  const { reason } = await refusalOf(openSnapshot({ head: signedHead(chunks, { count: 1 }), chunks: endless }, keys, expected));
  expect([reason, read]).toEqual(['TOKEN_MALFORMED', 0]);
});

test('others get their turn while a large snapshot is signed and opened', async () => {
  const entries = someEntries(100_000);
  const turnsDuring = async <Value>(work: Promise<Value>): Promise<[Value, number]> => {
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const value = await work;
    isDone = true;
    return [value, turns];
  };
  const [signed, whileSigning] = await turnsDuring(signSnapshot(at, entries, key));
  const [, whileOpening] = await turnsDuring(openSnapshot(signed, keys, expected));
  expect(Math.min(whileSigning, whileOpening)).toBeGreaterThanOrEqual(signed.chunks.length - 1);
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

test('T-44 a checkpoint and the head of a snapshot have 4 096 bytes at most', async () => {
  const sizeOf = async (signing: Promise<string>) =>
    await signing.then(
      ({ length }) => length,
      () => 0,
    );
  const checkpoint = async (iss: string) => signCheckpoint({ ...at, iss }, key);
  const head = async (iss: string) => (await signSnapshot({ ...at, iss }, someEntries(0), key)).head;
  for (const sign of [checkpoint, head]) {
    let longest = 1;
    for (let step = 2_048; step >= 1; step /= 2) if ((await sizeOf(sign('i'.repeat(longest + step)))) > 0) longest += step;
    expect(await sizeOf(sign('i'.repeat(longest)))).toBeGreaterThan(4_096 - 2);
    expect(await sizeOf(sign('i'.repeat(longest)))).toBeLessThanOrEqual(4_096);
    expect((await refusalOf(sign('i'.repeat(longest + 1)))).reason).toBe('TOKEN_MALFORMED');
  }
});
