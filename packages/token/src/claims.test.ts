import { describe, expect, test } from 'vitest';
import { actorChain, parseServiceTokenClaims } from './claims.ts';
import { type JsonObject, parseJsonObject } from './json.ts';
import { claimsWith, issuedAt, reasonOf } from './testing.ts';

/** As it arrives: written as JSON and read by the strict reader. */
const payloadWith = (changes?: { readonly [name: string]: unknown }): JsonObject =>
  parseJsonObject(Buffer.from(JSON.stringify(claimsWith(changes))));
const parse = (changes?: { readonly [name: string]: unknown }) => parseServiceTokenClaims(payloadWith(changes));
const refused = (changes: { readonly [name: string]: unknown }) => reasonOf(() => parse(changes)) === 'TOKEN_MALFORMED';

const hash = 'A'.repeat(43);
const optional = {
  nbf: issuedAt,
  act: { sub: 'spiffe://shop.test/gateway', act: { sub: 'spiffe://shop.test/edge' } },
  cnf: { 'x5t#S256': hash, jkt: hash },
  sid: 'family-1',
  net: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1/32', '::/0'],
  may_act: { sub: 'spiffe://shop.test/batch' },
};

describe('the claims of a service token', () => {
  test('are read as they are, with what is optional and without', () => {
    expect(parse()).toStrictEqual(claimsWith());
    expect(parse(optional)).toStrictEqual(claimsWith(optional));
  });

  test('are frozen all through', () => {
    const claims = parse(optional);
    for (const part of [claims, claims.act, claims.act?.act, claims.cnf, claims.net, claims.may_act])
      expect(Object.isFrozen(part)).toBe(true);
  });

  test.each(['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'rn'])('must include %s', (name) => {
    expect(refused({ [name]: undefined })).toBe(true);
    expect(refused({ [name]: null })).toBe(true);
  });

  test('without txn begin a chain of their own, and with any that is no id are refused', () => {
    expect(parse({ txn: undefined })).toStrictEqual(claimsWith({ txn: claimsWith().jti }));
    expect(refused({ txn: null })).toBe(true);
    expect(refused({ txn: undefined, jti: undefined })).toBe(true);
  });

  test.each(['iss', 'sub', 'aud', 'jti', 'client_id', 'txn', 'sid'])('%s must be a text, never empty and never a list of one', (name) => {
    for (const value of ['', 7, true, {}, ['spiffe://shop.test/orders']]) expect(refused({ [name]: value })).toBe(true);
  });

  test.each(['iss', 'sub', 'aud', 'jti', 'client_id', 'txn', 'sid'])('%s must hold no control character', (name) => {
    for (const control of ['\u0000', '\n', '\r', '\t', '\u007f']) expect(refused({ [name]: `a${control}b` })).toBe(true);
  });

  test.each(['iss', 'aud', 'jti', 'client_id', 'txn', 'sid'])('%s must be visible ASCII', (name) => {
    for (const value of ['a b', ' a', 'a ', 'é', 'а', '\u202eabc']) expect(refused({ [name]: value })).toBe(true);
  });

  test('the subject may be a person of another issuer, in any script', () => {
    expect(parse({ sub: 'Zoë 小林' }).sub).toBe('Zoë 小林');
    expect(refused({ sub: 'a\u0085b' })).toBe(true);
  });

  test.each(['jti', 'txn', 'sid'])('T-44 %s may have 128 characters, and not 129', (name) => {
    expect(parse({ [name]: 'a'.repeat(128) })).toBeDefined();
    expect(refused({ [name]: 'a'.repeat(129) })).toBe(true);
  });

  test.each(['iss', 'sub', 'aud', 'client_id'])('T-44 %s may have 2048 characters, and not 2049', (name) => {
    expect(parse({ [name]: 'a'.repeat(2048) })).toBeDefined();
    expect(refused({ [name]: 'a'.repeat(2049) })).toBe(true);
  });

  test.each(['act', 'may_act'])('T-44 the sub of %s may have 2048 characters, and not 2049', (name) => {
    expect(parse({ [name]: { sub: 'a'.repeat(2048) } })).toBeDefined();
    expect(refused({ [name]: { sub: 'a'.repeat(2049) } })).toBe(true);
  });

  test('T-44 there may be 64 networks, and not 65, with prefixes of 32 and 128 bits, and not of 33 and 129', () => {
    expect(parse({ net: Array(64).fill('10.0.0.0/8') }).net).toHaveLength(64);
    expect(refused({ net: Array(65).fill('10.0.0.0/8') })).toBe(true);
    for (const [address, bits] of [
      ['10.0.0.1', 32],
      ['::1', 128],
    ] as const) {
      expect(parse({ net: [`${address}/${bits}`] }).net).toHaveLength(1);
      expect(refused({ net: [`${address}/${bits + 1}`] })).toBe(true);
    }
  });

  test.each(['exp', 'iat', 'nbf', 'rn'])('%s must be an integer of 0 or more', (name) => {
    for (const value of ['1790000000', -1, true, [1790000000], {}]) expect(refused({ [name]: value })).toBe(true);
    // What only a caller in this process can pass: JSON has none of them.
    for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(reasonOf(() => parseServiceTokenClaims({ ...payloadWith(), [name]: value }))).toBe('TOKEN_MALFORMED');
    }
  });

  test('the log position may be 0', () => {
    expect(parse({ rn: 0 }).rn).toBe(0);
  });

  test('expire after they were issued: a second later, and not at once', () => {
    expect(parse({ exp: issuedAt + 1 }).exp).toBe(issuedAt + 1);
    expect(refused({ exp: issuedAt })).toBe(true);
    expect(refused({ exp: issuedAt - 1 })).toBe(true);
  });

  test('may have an empty scope, and no scope outside the grammar', () => {
    expect(parse({ scope: '' }).scope).toBe('');
    for (const scope of [' ', 'a  b', 'a\\b', ['a'], 7]) expect(refused({ scope })).toBe(true);
  });

  test.each([
    'spiffe://shop.test/gateway',
    null,
    [],
    {},
    { sub: 7 },
    { sub: '' },
    { sub: 'a', act: 'b' },
    { sub: 'a', act: {} },
    { sub: 'a', iss: 'b' },
  ])('refuse the actor %j', (act) => {
    expect(refused({ act })).toBe(true);
    expect(refused({ may_act: act })).toBe(true);
  });

  test.each([{ jkt: hash }, { 'x5t#S256': hash }])('may have the binding %j alone', (cnf) => {
    expect(parse({ cnf }).cnf).toStrictEqual(cnf);
  });

  test.each([
    null,
    [],
    {},
    { jkt: 7 },
    { jkt: [hash] },
    { jkt: 'A'.repeat(42) },
    { jkt: 'A'.repeat(44) },
    { jkt: `${'A'.repeat(42)}B` },
    { 'x5t#S256': '' },
  ])('refuse the binding %j', (cnf) => {
    expect(refused({ cnf })).toBe(true);
  });

  test('refuse a binding that is not understood, even beside one that is', () => {
    expect(refused({ cnf: { jkt: hash, jwk: { kty: 'EC' } } })).toBe(true);
    expect(refused({ cnf: { kid: 'k' } })).toBe(true);
  });

  test.each([
    [[]],
    ['10.0.0.0/8'],
    [{}],
    [[7]],
    [['10.0.0.0']],
    [['10.0.0.0/33']],
    [['10.0.0.0/08']],
    [['10.0.0/8']],
    [['2001:db8::/129']],
    [['fe80::1%eth0/64']],
    [['/8']],
    [['10.0.0.0/8', 'any']],
    [[['10.0.0.0/8']]],
    [['from 10.0.0.0/8']],
    [Array(65).fill('10.0.0.0/8')],
  ])('refuse the networks %j', (net) => {
    expect(refused({ net })).toBe(true);
  });

  test('are left without claims that are not known here', () => {
    const claims = parse({ email: 'a@b.test', roles: ['admin'] });
    expect(claims).toStrictEqual(claimsWith());
  });

  test.each(['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'txn', 'rn', 'nbf', 'act', 'cnf', 'sid', 'net', 'may_act'])(
    'name %s in its refusal',
    (name) => {
      expect(() => parse({ [name]: false })).toThrow(`malformed token: ${name} must`);
      if (name.endsWith('act')) expect(() => parse({ [name]: { sub: 'a', act: { sub: 7 } } })).toThrow(`malformed token: ${name}.sub must`);
    },
  );

  test('never show a value in a refusal', () => {
    expect(() => parse({ sub: 'secret\nsubject' })).toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret') }));
  });
});

describe('the actor chain', () => {
  test('names the current actor first', () => {
    expect(actorChain(parse(optional))).toEqual(['spiffe://shop.test/gateway', 'spiffe://shop.test/edge']);
  });

  test('is empty when the subject calls by itself', () => {
    expect(actorChain(parse())).toEqual([]);
  });
});
