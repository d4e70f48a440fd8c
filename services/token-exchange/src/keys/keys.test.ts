import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { genesisHash, openCheckpoint, openEvent, signCheckpoint, signEvent } from '@tokenmesh/revocation';
import { exportSigningKey, generateSigningKey, signJws, verifyServiceToken } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeyState, StoredKey } from '../record/key-records.ts';
import { openSqliteStore } from '../record/sqlite.ts';
import type { Store } from '../record/store.ts';
import { encryption, newId, temporaryDirectory } from '../testing.ts';
import { createKeyEncryption, KeyEncryptionError, readKeyEncryption } from './key-encryption.ts';
import { KeyRingError, openKeyRing } from './keys.ts';

const now = () => Date.UTC(2026, 5, 1);
let directory: ReturnType<typeof temporaryDirectory>;
let store: Store;
beforeEach(async () => {
  directory = temporaryDirectory();
  store = await openSqliteStore(join(directory.path, 'record.db'), { newId });
});
afterEach(async () => {
  await store.close();
  directory.remove();
});

const open = (options = {}) => openKeyRing({ store, encryption, alg: 'ES256', now, ...options });
const stored = () => store.transaction((transaction) => transaction.keys());

/** Puts another token key beside what is there. */
async function addKey(state: KeyState, damage = (sealed: string) => sealed): Promise<string> {
  const key = generateSigningKey('ES256');
  const { kid } = key;
  const sealed = damage(encryption.seal(exportSigningKey(key), `tokenmesh token ES256 ${kid}`));
  const row: StoredKey = { kid, purpose: 'token', alg: 'ES256', state, sealed, changedAtMs: 0, rotationRequestedAtMs: 0 };
  await store.transaction(async (transaction) => {
    await transaction.lockKeys();
    await transaction.addKey(row);
  });
  return kid;
}

describe('the key ring', () => {
  it('generates a token key and a feed key on the first start, and finds the same ones on the next', async () => {
    const first = await open();
    const second = await open();
    expect(second.token.signing.kid).toBe(first.token.signing.kid);
    expect(second.feed.signing.kid).toBe(first.feed.signing.kid);
    expect((await stored()).map(({ purpose, state }) => [purpose, state]).sort()).toEqual([
      ['feed', 'active'],
      ['token', 'active'],
    ]);
  });

  it('T-28 keeps token keys and feed keys apart', async () => {
    const { token, feed } = await open();
    expect(token.signing.kid).not.toBe(feed.signing.kid);
    expect(token.find(feed.signing.kid)).toBeUndefined();
    expect(feed.verification.has(token.signing.kid)).toBe(false);
    const forged = signJws({ iss: 'i' }, { typ: 'at+jwt', key: feed.signing });
    expect(() => verifyServiceToken(forged, { issuer: 'i', audience: 'a', keys: token, now })).toThrow('no key of this kid');
    const [epoch, prev, exp] = ['e', genesisHash('e'), 10];
    const event = { iss: 'i', aud: 'm', iat: 1, jti: 'j', epoch, n: 1, t: 1, prev, targets: [{ kind: 'all', value: '', exp }] } as const;
    const checkpoint = { iss: 'i', aud: 'm', epoch, n: 0, h: prev, t: 1, s: 5000 };
    const origin = { issuer: 'i', mesh: 'm' };
    expect(openEvent(signEvent(event, feed.signing).compact, feed.verification, origin).event.n).toBe(1);
    expect(() => openEvent(signEvent(event, token.signing).compact, feed.verification, origin)).toThrow('No feed key');
    expect(() => openCheckpoint(signCheckpoint(checkpoint, token.signing), feed.verification, origin)).toThrow('No feed key');
  });

  it('shows published, active and retiring keys, the active one first, and no other', async () => {
    const { token } = await open();
    const [published, retiring] = [await addKey('published'), await addKey('retiring')];
    const hidden = [await addKey('prepared'), await addKey('withdrawn')];
    const ring = await open();
    expect(ring.token.jwks[0]?.kid).toBe(token.signing.kid);
    expect(ring.token.jwks.map(({ kid }) => kid).sort()).toEqual([token.signing.kid, published, retiring].sort());
    for (const kid of hidden) expect(ring.token.find(kid)).toBeUndefined();
    for (const jwk of ring.token.jwks) expect(Object.keys(jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  });

  it('tells who listens when keys changed, by whomever, with a version that all replicas read, and not when they are as before', async () => {
    const [ring, other] = [await open(), await open()];
    expect(ring.version).toBe(other.version);
    const heard: number[] = [];
    const stop = ring.onChange(() => heard.push(ring.version));
    await ring.reload();
    expect(heard).toEqual([]);
    const before = ring.version;
    await addKey('published');
    await Promise.all([ring.reload(), other.reload()]);
    expect(heard).toEqual([before + 1]);
    expect(other.version).toBe(before + 1);
    stop();
    await addKey('retiring');
    await ring.reload();
    expect(heard).toHaveLength(1);
  });

  it('refuses several active keys, and keys of which none is active', async () => {
    await open();
    await addKey('active');
    await expect(open()).rejects.toThrow(KeyRingError);
    await expect(open()).rejects.toThrow(/exactly one active token key; it holds 2/);
  });

  it.each([
    ['truncated', (sealed: string) => sealed.slice(0, -30)],
    ['emptied', () => ''],
    ['changed by one bit', (sealed: string) => `${sealed.slice(0, 60)}${sealed[60] === 'A' ? 'B' : 'A'}${sealed.slice(61)}`],
  ])('F9 refuses a sealed key that was %s, names it, and repeats nothing of it', async (_, damage) => {
    await open();
    const kid = await addKey('retiring', damage);
    const refusal = await open().catch((error: Error) => error);
    expect(refusal).toBeInstanceOf(KeyRingError);
    const { message } = refusal as Error;
    expect(message).toContain(`the retiring token key ${kid} cannot be read: others open with this key-encryption key`);
    const { sealed } = (await stored()).find((row) => row.kid === kid) as StoredKey;
    for (const part of sealed.split('.').filter(({ length }) => length > 8)) expect(message).not.toContain(part);
  });

  it('F9 keeps serving the public keys of a record that was damaged while it runs, and signs nothing that is in doubt', async () => {
    const ring = await open();
    const before = ring.token.jwks;
    await addKey('active');
    await expect(ring.reload()).rejects.toThrow(/exactly one active token key; it holds 2/);
    expect(ring.token.jwks).toEqual(before);
    expect(() => ring.token.signing).toThrow('nothing is signed: the record must hold exactly one active token key');
    expect(ring.feed.signing.kid).toMatch(/^[\w-]{8}$/);
  });

  it('refuses a record whose keys are all retiring', async () => {
    await addKey('retiring');
    await expect(open()).rejects.toThrow(/exactly one active token key; it holds 0 \(none\)/);
  });

  it('generates the token key for the configured algorithm and the feed key for ES256', async () => {
    const { token, feed } = await open({ alg: 'EdDSA' });
    expect([token.signing.alg, feed.signing.alg]).toEqual(['EdDSA', 'ES256']);
  });

  it('stores private keys encrypted', async () => {
    await open();
    for (const { sealed } of await stored()) expect(sealed).toMatch(/^v1\.[\w-]{16}\.[\w-]+\.[\w-]{22}$/);
  });

  it('refuses to start with another key-encryption key, and changes nothing', async () => {
    const before = await open().then(stored);
    const other = createKeyEncryption(Buffer.alloc(32, 8).toString('base64'), 'another file');
    await expect(open({ encryption: other })).rejects.toThrow(KeyEncryptionError);
    await expect(open({ encryption: other })).rejects.toThrow(/from another file does not open the stored signing keys/);
    expect(await stored()).toEqual(before);
  });

  it('refuses a sealed key that was moved to another purpose or name, or changed', async () => {
    const context = 'tokenmesh feed ES256 k1';
    const sealed = encryption.seal('secret', context);
    expect(encryption.open(sealed, context)).toBe('secret');
    for (const other of ['tokenmesh token ES256 k1', 'tokenmesh feed ES256 k2']) {
      expect(() => encryption.open(sealed, other)).toThrow(KeyEncryptionError);
    }
    const [version, nonce, encrypted, tag] = sealed.split('.');
    const changed = [
      `${version}.${nonce}.${flip(encrypted)}.${tag}`,
      `${version}.${nonce}.${encrypted}.${flip(tag)}`,
      `v2.${nonce}.${encrypted}.${tag}`,
    ];
    for (const text of [...changed, `${version}.${nonce}.${encrypted}.${tag?.slice(0, 8)}`, '', 'v1']) {
      expect(() => encryption.open(text, context)).toThrow(KeyEncryptionError);
    }
  });
});

describe('the key-encryption key', () => {
  it('derives a key for each other purpose, the same in every process that has it', () => {
    const derived = (fill: number, purpose: string) =>
      createKeyEncryption(Buffer.alloc(32, fill).toString('base64'), 'the test').derive(purpose).toString('hex');
    expect(derived(1, 'DPoP nonces')).toMatch(/^[0-9a-f]{64}$/);
    expect(derived(1, 'DPoP nonces')).toBe(derived(1, 'DPoP nonces'));
    expect(derived(1, 'DPoP nonces')).not.toBe(derived(1, 'another purpose'));
    expect(derived(1, 'DPoP nonces')).not.toBe(derived(2, 'DPoP nonces'));
    expect(derived(1, 'DPoP nonces')).not.toBe(Buffer.alloc(32, 1).toString('hex'));
  });

  const good = Buffer.alloc(32, 1).toString('base64');
  const file = () => join(directory.path, 'kek');

  it('comes from the environment, else from the file the environment names, else from the configured file', () => {
    writeFileSync(file(), `${good}\n`);
    const other = createKeyEncryption(Buffer.alloc(32, 2).toString('base64'), 'test').seal('x', 'c');
    const mine = createKeyEncryption(good, 'test').seal('x', 'c');
    expect(readKeyEncryption({ TOKENMESH_KEY_ENCRYPTION_KEY: good }, '/nowhere').open(mine, 'c')).toBe('x');
    expect(readKeyEncryption({ TOKENMESH_KEY_ENCRYPTION_KEY_FILE: file() }, '/nowhere').open(mine, 'c')).toBe('x');
    expect(readKeyEncryption({}, file()).open(mine, 'c')).toBe('x');
    expect(() => readKeyEncryption({}, file()).open(other, 'c')).toThrow(KeyEncryptionError);
  });

  it('has no default', () => {
    expect(() => readKeyEncryption({}, undefined)).toThrow(/no key-encryption key: set TOKENMESH_KEY_ENCRYPTION_KEY or/);
    expect(() => readKeyEncryption({ TOKENMESH_KEY_ENCRYPTION_KEY: '' }, undefined)).toThrow(KeyEncryptionError);
  });

  it('says which file cannot be read', () => {
    expect(() => readKeyEncryption({}, join(directory.path, 'gone'))).toThrow(/cannot be read from .*gone \(ENOENT\)/);
  });

  it.each([
    ['31 bytes', Buffer.alloc(31, 1).toString('base64')],
    ['33 bytes', Buffer.alloc(33, 1).toString('base64')],
    ['hexadecimal', Buffer.alloc(32, 1).toString('hex')],
    ['base64url', Buffer.alloc(32, 0xff).toString('base64url')],
    ['a password', 'correct horse battery staple'],
  ])('is refused as %s, without repeating it', (_, text) => {
    const create = () => createKeyEncryption(text, 'KEY');
    expect(create).toThrow(/from KEY is not 32 bytes in base64/);
    expect(create).not.toThrow(text);
  });
});

function flip(text = ''): string {
  return `${text[0] === 'A' ? 'B' : 'A'}${text.slice(1)}`;
}
