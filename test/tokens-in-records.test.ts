import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { exportSigningKey, generateSigningKey, signJws, tokenTypes } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tokensInDatabases, tokensInRecord } from './tokens-in-records.ts';

const key = generateSigningKey();
const signed = (typ: string) => signJws({ sub: 'spiffe://shop.test/gateway' }, { typ, key });

describe('tokensInRecord', () => {
  it.each([tokenTypes.serviceToken, tokenTypes.clientAssertion, tokenTypes.dpopProof])('finds a JWS of the type %s', (typ) => {
    expect(tokensInRecord(`a, ${signed(typ)}, b`)).not.toEqual([]);
  });

  it('finds a private key', () => {
    expect(tokensInRecord(exportSigningKey(key))).not.toEqual([]);
  });

  it.each([tokenTypes.event, tokenTypes.checkpoint, tokenTypes.snapshot])('leaves out what the feed signs for all to read: %s', (typ) => {
    expect(tokensInRecord(`a, ${signed(typ)}, b`)).toEqual([]);
    expect(tokensInRecord(`${signed(typ)} ${signed(tokenTypes.serviceToken)}`)).not.toEqual([]);
  });

  it.each(['', 'r_'])('finds an opaque token behind tm_%s', (kind) => {
    const opaque = `tm_${kind}${randomBytes(32).toString('base64url')}`;
    for (const text of [opaque, `{"token":"${opaque}"}`, `-${opaque}-`]) expect(tokensInRecord(text)).not.toEqual([]);
  });

  it.each([
    'Qx7eyJ4fzqYH2bT0mX1aQd-4fzqYH2bT0mX1aQdkP9w',
    'tm_I38LEihPC4fzqYH2bT0mX1aQd-4fzqYH2bT0mX1w',
    'Qx-tm_I38LEihPC4fzqYH2bT0mX1aQd-4fzqYH2bT0w',
  ])('leaves out a hash that has the first letters of a token by chance: %s', (hash) => {
    expect(tokensInRecord(hash)).toEqual([]);
    expect(tokensInRecord(`{"before":"${hash}","after":"${hash}"}`)).toEqual([]);
  });

  const ciphertext = '4fzqYH2bT0mX1aQdkP9w'.repeat(40);
  it.each(['tm_', 'tm_r_', 'Qx7-tm_'])('leaves out a sealed value that has the prefix of an opaque token by chance, as %s', (begin) => {
    for (const sealed of [begin + ciphertext, `Qx7.${begin}${ciphertext}`, `sid\t${begin}${ciphertext}\n`]) {
      expect(tokensInRecord(sealed)).toEqual([]);
    }
  });

  it('finds an opaque token in an answer that was encoded and not sealed', () => {
    const answer = JSON.stringify({ scope: 'payments.charge '.repeat(20), refresh_token: `tm_r_${randomBytes(32).toString('base64url')}` });
    for (const encoding of ['base64', 'base64url'] as const) expect(tokensInRecord(Buffer.from(answer).toString(encoding))).not.toEqual([]);
  });
});

describe('tokensInDatabases', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'planted-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** A record with a revocation in it, and this. */
  function write(file: string, value: string | Uint8Array): DatabaseSync {
    const database = new DatabaseSync(join(directory, file));
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE revocation_events (n INTEGER, compact ANY) STRICT');
    const insert = database.prepare('INSERT INTO revocation_events VALUES (?, ?)');
    insert.run(2n ** 60n, signed(tokenTypes.event));
    insert.run(2, value);
    return database;
  }
  /** Not a token: what these tests leave is looked through as well. */
  const secret = `tm_${'4fzqYH2b'.repeat(6)}`;
  const without = (database: DatabaseSync) => database.exec('DELETE FROM revocation_events');

  it.each([
    ['a text', secret],
    ['bytes', Buffer.from(secret)],
  ])('says where %s was found, also while its log was not written back', (_, value) => {
    const database = write('record.db', value);
    expect(tokensInDatabases(directory)).toEqual(['record.db revocation_events: tm_4fzqYH2b4…']);
    without(database);
    expect(tokensInDatabases(directory)).toEqual([]);
    database.close();
  });

  it('takes a file that is no database for one without values', () => {
    writeFileSync(join(directory, 'broken.db'), 'x'.repeat(5000));
    expect(tokensInDatabases(directory)).toEqual([]);
  });
});
