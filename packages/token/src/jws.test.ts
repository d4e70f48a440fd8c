import { compactVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { algorithmNames } from './algorithms.ts';
import { checkSignature, maxTokenBytes, parseJws, signJws, tokenTypes } from './jws.ts';
import { generateSigningKey } from './keys.ts';
import { base64url, headerWith, key, reasonOf, signAnything } from './testing.ts';

const typ = tokenTypes.serviceToken;
const payload = { iss: 'https://a.test' };
const parse = (compact: string, options = {}) => parseJws(compact, { typ, ...options });

describe('a signed JWS', () => {
  test.each(algorithmNames)('of %s is read back, verified here and by jose', async (alg) => {
    const signer = generateSigningKey(alg, 'k1');
    const compact = signJws(payload, { typ, key: signer });
    const jws = parse(compact);
    expect(jws).toMatchObject({ alg, kid: 'k1', typ, payload });
    expect(jws.payloadBytes.toString()).toBe('{"iss":"https://a.test"}');
    expect(`${jws.signingInput}.${base64url(jws.signature)}`).toBe(compact);
    checkSignature(jws, signer);
    const { protectedHeader } = await compactVerify(compact, signer.publicKey);
    expect(protectedHeader).toEqual({ alg, kid: 'k1', typ });
  });

  test('has a header without blanks, in one order', () => {
    const [header = ''] = signJws(payload, { typ, key: generateSigningKey('ES256', 'k1') }).split('.');
    expect(Buffer.from(header, 'base64url').toString()).toBe('{"alg":"ES256","kid":"k1","typ":"at+jwt"}');
  });

  test('holds exactly the bytes it was given', () => {
    const bytes = Buffer.from('{ "a" : 1 }');
    expect(parse(signJws(bytes, { typ, key })).payloadBytes.equals(bytes)).toBe(true);
  });

  test('is refused to a key that does not fit', () => {
    const ed = generateSigningKey('EdDSA');
    expect(() => signJws(payload, { typ, key: { ...key, alg: 'EdDSA' } })).toThrow(TypeError);
    expect(() => signJws(payload, { typ, key: { ...key, privateKey: ed.privateKey } })).toThrow(TypeError);
    expect(() => signJws(payload, { typ, key: { ...key, privateKey: key.publicKey } })).toThrow(TypeError);
    expect(() => signJws(payload, { typ, key: { ...key, kid: '","typ":"JWT' } })).toThrow(TypeError);
    expect(() => signJws(payload, { typ: 'a b', key })).toThrow(TypeError);
    expect(() => signJws(payload, { typ: '', key })).toThrow(TypeError);
  });
});

test('T-44 is signed with a typ of 64 characters, and not of 65', () => {
  expect(parse(signJws(payload, { typ: 't'.repeat(64), key }), { typ: 't'.repeat(64) }).typ).toBe('t'.repeat(64));
  expect(() => signJws(payload, { typ: 't'.repeat(65), key })).toThrow(TypeError);
  const tooLong = signAnything(headerWith({ typ: 't'.repeat(65) }), payload);
  expect(reasonOf(() => parse(tooLong, { typ: 't'.repeat(65) }))).toBe('TOKEN_TYPE_REJECTED');
});

describe('the signature', () => {
  const jws = parse(signJws(payload, { typ, key }));

  test('is right for the key that made it alone', () => {
    expect(() => checkSignature(jws, key)).not.toThrow();
    const other = generateSigningKey('ES256', key.kid);
    expect(reasonOf(() => checkSignature(jws, other))).toBe('TOKEN_SIGNATURE_INVALID');
  });

  test('is refused when key and header disagree, though the bytes fit', () => {
    expect(reasonOf(() => checkSignature(jws, { ...key, kid: 'other' }))).toBe('TOKEN_SIGNATURE_INVALID');
    expect(reasonOf(() => checkSignature(jws, { ...key, alg: 'EdDSA' }))).toBe('TOKEN_SIGNATURE_INVALID');
    expect(reasonOf(() => checkSignature({ ...jws, alg: 'RS256' }, { ...key, alg: 'RS256' }))).toBe('TOKEN_SIGNATURE_INVALID');
  });

  test('is never checked with a private key', () => {
    expect(reasonOf(() => checkSignature(jws, { ...key, publicKey: key.privateKey }))).toBe('TOKEN_SIGNATURE_INVALID');
  });

  test('covers header and payload', () => {
    const [header = '', body = '', signature = ''] = signJws(payload, { typ, key }).split('.');
    const foreignBody = `${header}.${base64url('{"iss":"https://b.test"}')}.${signature}`;
    const foreignHeader = `${base64url(JSON.stringify(headerWith({ typ: 'application/at+jwt' })))}.${body}.${signature}`;
    for (const forged of [foreignBody, foreignHeader])
      expect(reasonOf(() => checkSignature(parse(forged), key))).toBe('TOKEN_SIGNATURE_INVALID');
  });
});

describe('the shape of a JWS', () => {
  const good = signAnything(headerWith(), payload);
  const [header = '', body = '', signature = ''] = good.split('.');

  test.each([
    ['nothing', ''],
    ['dots', '..'],
    ['one part', header],
    ['two parts', `${header}.${body}`],
    ['an empty signature', `${header}.${body}.`],
    ['an empty payload', `${header}..${signature}`],
    ['an empty header', `.${body}.${signature}`],
    ['four parts', `${good}.`],
    ['five parts', `${good}.${body}.${signature}`],
    ['padding', `${good}=`],
    ['a blank before', ` ${good}`],
    ['a line end after', `${good}\n`],
    ['a blank inside', good.replace('.', '. ')],
    ['the alphabet of base64', good.replace(/.$/, '+')],
    ['a scheme before', `Bearer ${good}`],
    ['two tokens', `${good},${good}`],
    ['a zero byte', `${good}\u0000`],
    ['a full-width letter', good.replace(/^e/, '\uff45')],
  ])('with %s is refused', (_, compact) => {
    expect(reasonOf(() => parse(compact))).toBe('TOKEN_MALFORMED');
  });

  test.each([undefined, null, 7, {}, ['x'], Buffer.from(good)])('is a text, not %j', (value) => {
    // A caller without types.
    expect(reasonOf(() => parse(value as unknown as string))).toBe('TOKEN_MALFORMED');
  });

  test('T-44 may have 4096 bytes, and not 4097', () => {
    const ofSize = (size: number) => {
      for (let filler = size; ; filler--) {
        const compact = signAnything(headerWith(), { a: 'x'.repeat(filler) });
        if (compact.length <= size) return compact;
      }
    };
    const limit = ofSize(maxTokenBytes);
    expect(limit.length).toBe(4096);
    expect(parse(limit).payload.a).toBeDefined();
    const over = ofSize(maxTokenBytes + 1);
    expect(over.length).toBe(4097);
    expect(reasonOf(() => parse(over))).toBe('TOKEN_MALFORMED');
    expect(parse(over, { maxBytes: 4097 }).payload.a).toBeDefined();
    expect(reasonOf(() => parse(good, { maxBytes: good.length - 1 }))).toBe('TOKEN_MALFORMED');
  });

  test('has one spelling: any other base64url of the same bytes is refused', () => {
    // The signature has 64 bytes: 86 characters, of whose last one two bits count.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(signature.slice(-1));
    let twins = 0;
    for (let bits = 1; bits < 16; bits++) {
      const twin = signature.slice(0, -1) + alphabet[(last & 0b110000) | bits];
      expect(Buffer.from(twin, 'base64url').equals(Buffer.from(signature, 'base64url'))).toBe(true);
      expect(reasonOf(() => parse(`${header}.${body}.${twin}`))).toBe('TOKEN_MALFORMED');
      twins++;
    }
    expect(twins).toBe(15);
    // One character more than whole groups decodes to the same bytes in Node.
    const whole = base64url('{"iss":"https://a.te"}  ');
    expect(whole.length % 4).toBe(0);
    expect(reasonOf(() => parse(`${header}.${whole}A.${signature}`))).toBe('TOKEN_MALFORMED');
  });

  test.each(['not json', '[]', '"x"', 'null', '{"a":1,"a":2}', '{"__proto__":{}}', '\ufeff{}'])(
    'is refused for the payload %j, though signed',
    (text) => {
      expect(reasonOf(() => parse(signAnything(headerWith(), text)))).toBe('TOKEN_MALFORMED');
    },
  );
});

describe('the header of a JWS', () => {
  test.each([
    ['crit', ['exp']],
    ['crit', []],
    ['b64', false],
    ['zip', 'DEF'],
    ['cty', 'JWT'],
    ['jwk', {}],
    ['jku', 'https://evil.test/jwks'],
    ['x5u', 'https://evil.test/cert'],
    ['x5c', ['MIIB']],
    ['x5t', 'AAAA'],
    ['x5t#S256', 'AAAA'],
    ['enc', 'A256GCM'],
    ['epk', {}],
    ['p2c', 1],
    ['nonce', 'n'],
    ['Alg', 'ES256'],
    ['', ''],
  ])('must not have %s', (name, value) => {
    expect(reasonOf(() => parse(signAnything(headerWith({ [name]: value }), payload)))).toBe('TOKEN_MALFORMED');
  });

  test.each([
    'not json',
    '[]',
    '{"alg":"ES256","alg":"ES256","kid":"k","typ":"at+jwt"}',
    '{"alg":"ES256","\\u0061lg":"none","kid":"k","typ":"at+jwt"}',
  ])('%j is refused', (header) => {
    expect(reasonOf(() => parse(signAnything(header, payload)))).toBe('TOKEN_MALFORMED');
  });

  test('is judged by its own text, whatever was read before', () => {
    const compact = signAnything(headerWith(), payload);
    const [part = '', ...rest] = compact.split('.');
    expect(parse(compact).kid).toBe(key.kid);
    for (let length = 1; length < part.length; length++) {
      expect(reasonOf(() => parse([part.slice(0, length), ...rest].join('.')))).toBe('TOKEN_MALFORMED');
    }
    for (let round = 0; round < 100; round++) {
      expect(parse(compact).kid).toBe(key.kid);
      expect(parse(signAnything(headerWith({ kid: `k${round}` }), payload)).kid).toBe(`k${round}`);
      expect(reasonOf(() => parse(compact, { typ: 'checkpoint+jwt' }))).toBe('TOKEN_TYPE_REJECTED');
      expect(reasonOf(() => parse(signAnything(headerWith({ crit: ['exp'] }), payload)))).toBe('TOKEN_MALFORMED');
    }
  });

  test('T-44 is one of 32 that are remembered, and of no more, whatever is sent', () => {
    const { set } = Map.prototype;
    let largest = 0;
    Map.prototype.set = function (name, value) {
      set.call(this, name, value);
      largest = Math.max(largest, this.size);
      return this;
    };
    try {
      for (let round = 0; round < 100; round++) parse(signAnything(headerWith({ kid: `one-of-many-${round}` }), payload));
    } finally {
      Map.prototype.set = set;
    }
    expect(largest).toBe(32);
  });

  test.each([
    'none',
    'None',
    'HS256',
    'ES384',
    'RS512',
    'PS256',
    'es256',
    'ES256 ',
    '',
    7,
    null,
    ['ES256'],
    { ES256: 1 },
    'constructor',
    undefined,
  ])('must not say alg %j', (alg) => {
    expect(reasonOf(() => parse(signAnything(headerWith({ alg }), payload)))).toBe('TOKEN_MALFORMED');
  });

  test.each([
    '',
    ' ',
    'a b',
    '../../etc/passwd',
    "' OR 1=1 --",
    'a/b',
    'a\u0000',
    'k\n',
    'é',
    7,
    null,
    ['k'],
    { k: 1 },
    undefined,
    'a'.repeat(65),
  ])('must not say kid %j', (kid) => {
    expect(reasonOf(() => parse(signAnything(headerWith({ kid }), payload)))).toBe('TOKEN_MALFORMED');
  });

  test('T-44 may have a kid of 64 characters, and not of 65', () => {
    expect(parse(signAnything(headerWith({ kid: 'a'.repeat(64) }), payload)).kid).toBe('a'.repeat(64));
    expect(reasonOf(() => parse(signAnything(headerWith({ kid: 'a'.repeat(65) }), payload)))).toBe('TOKEN_MALFORMED');
  });
});

describe('the type of a JWS', () => {
  test.each(['at+jwt', 'AT+JWT', 'At+Jwt', 'application/at+jwt', 'Application/AT+jwt'])('%s is at+jwt', (actual) => {
    expect(parse(signAnything(headerWith({ typ: actual }), payload)).typ).toBe('at+jwt');
    expect(parseJws(signAnything(headerWith(), payload), { typ: actual }).typ).toBe('at+jwt');
  });

  test.each([
    'JWT',
    'jwt',
    '',
    ' at+jwt',
    'at+jwt ',
    'at+jwt\u0000',
    'at jwt',
    'text/at+jwt',
    'application:at+jwt',
    'applicatiom/at+jwt',
    'application/application/at+jwt',
    'at+jwt;v=1',
    ['at+jwt'],
    { at: 1 },
    7,
    null,
    undefined,
    'dpop+jwt',
    'token-introspection+jwt',
    ...Object.values(tokenTypes).filter((other) => other !== typ),
  ])('%j is not at+jwt', (actual) => {
    expect(reasonOf(() => parse(signAnything(headerWith({ typ: actual }), payload)))).toBe('TOKEN_TYPE_REJECTED');
  });

  test('is compared within ASCII: the Kelvin sign is no k', () => {
    expect('\u212a'.toLowerCase()).toBe('k');
    const compact = signAnything(headerWith({ typ: 'chec\u212apoint+jwt' }), payload);
    expect(reasonOf(() => parseJws(compact, { typ: 'checkpoint+jwt' }))).toBe('TOKEN_TYPE_REJECTED');
  });

  test('may be missing or JWT only where that is allowed, and then no other type passes either', () => {
    const allowed = { typ: tokenTypes.clientAssertion, allowUntyped: true };
    expect(parseJws(signAnything(headerWith({ typ: undefined }), payload), allowed).typ).toBe('');
    expect(parseJws(signAnything(headerWith({ typ: 'JWT' }), payload), allowed).typ).toBe('jwt');
    for (const actual of ['at+jwt', 'secevent+jwt', 'dpop+jwt', '', null]) {
      expect(reasonOf(() => parseJws(signAnything(headerWith({ typ: actual }), payload), allowed))).toBe('TOKEN_TYPE_REJECTED');
    }
  });
});
