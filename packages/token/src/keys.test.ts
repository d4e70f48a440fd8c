import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, test } from 'vitest';
import { algorithmNames, algorithmOf, algorithms, isAlgorithm } from './algorithms.ts';
import {
  createLocalKeySet,
  exportJwk,
  exportSigningKey,
  generateSigningKey,
  importJwks,
  importSigningKey,
  isKid,
  type Jwk,
} from './keys.ts';

const pair = generateSigningKey();
const jwk = exportJwk(pair);
// Made once: RSA keys take their time.
const rsa = generateSigningKey('RS256', 'rsa');

/** What a test sends instead of a JWK. */
const importing =
  (changes: { readonly [name: string]: unknown }, of: Jwk = jwk) =>
  () =>
    importJwks([{ ...of, ...changes } as Jwk]);
const pkcs8 = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString();

describe('a generated key', () => {
  test('is for ES256 by default', () => {
    expect(pair.alg).toBe('ES256');
    expect(pair.privateKey.type).toBe('private');
    expect(pair.publicKey.type).toBe('public');
  });

  test.each(algorithmNames)('for %s has the RFC 7638 thumbprint as kid', async (alg) => {
    const key = alg === 'RS256' ? importSigningKey(exportSigningKey(rsa)) : generateSigningKey(alg);
    const members = key.publicKey.export({ format: 'jwk' });
    // jose's type wants `kty`, which every exported key has.
    expect(key.kid).toBe(await calculateJwkThumbprint(members as { kty: string }));
    expect(isKid(key.kid)).toBe(true);
  });

  test('takes a kid of the grammar, and no other', () => {
    expect(generateSigningKey('ES256', 'k1').kid).toBe('k1');
    for (const kid of ['', 'a b', '../k', 'a/b', "a'b", 'é', 'a'.repeat(65)])
      expect(() => generateSigningKey('ES256', kid)).toThrow(TypeError);
  });

  test('is for no algorithm but ours', () => {
    for (const alg of ['HS256', 'none', 'ES384', 'toString', '__proto__']) {
      // A caller without types.
      expect(() => generateSigningKey(alg as 'ES256')).toThrow('alg must be ES256, EdDSA or RS256');
      expect(isAlgorithm(alg)).toBe(false);
    }
  });

  test('cannot be changed', () => {
    expect(Object.isFrozen(pair)).toBe(true);
  });
});

describe('a private key in PEM', () => {
  test.each([pair, generateSigningKey('EdDSA'), rsa])('is read back as the same key', (key) => {
    const read = importSigningKey(exportSigningKey(key), { kid: key.kid });
    expect(read.alg).toBe(key.alg);
    expect(read.kid).toBe(key.kid);
    expect(exportJwk(read)).toEqual(exportJwk(key));
  });

  test('may be a Buffer, have CRLF line ends, and blank lines around', () => {
    const pem = exportSigningKey(pair);
    expect(importSigningKey(Buffer.from(pem)).kid).toBe(pair.kid);
    expect(importSigningKey(`\r\n${pem.replaceAll('\n', '\r\n')}\n\n`).kid).toBe(pair.kid);
  });

  test('must be of the algorithm that is asked for', () => {
    expect(importSigningKey(exportSigningKey(pair), { alg: 'ES256' }).alg).toBe('ES256');
    expect(() => importSigningKey(exportSigningKey(pair), { alg: 'EdDSA' })).toThrow(TypeError);
  });

  test.each([
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey],
    ['Ed448', generateKeyPairSync('ed448').privateKey],
    ['X25519', generateKeyPairSync('x25519').privateKey],
    ['RSA of 1024 bits', generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey],
    ['RSA with exponent 3', generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey],
    ['RSA-PSS', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey],
  ])('is refused when it is %s', (_, privateKey) => {
    expect(() => importSigningKey(pkcs8(privateKey))).toThrow(TypeError);
  });

  test('is refused in any other form, without a word of it', () => {
    const forms = [
      '',
      'secret',
      pair.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      pair.privateKey.export({ format: 'pem', type: 'sec1' }).toString(),
      pair.privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'secret' }).toString(),
      JSON.stringify(pair.privateKey.export({ format: 'jwk' })),
      exportSigningKey(pair) + exportSigningKey(pair),
      exportSigningKey(pair).replace('M', 'N'),
      exportSigningKey(pair).replace(/\n.*\n/, '\nc2VjcmV0c2VjcmV0\n'),
    ];
    for (const form of forms) {
      let error: unknown;
      try {
        importSigningKey(form);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(TypeError);
      // True: the line above.
      const { message, cause } = error as TypeError;
      expect(cause).toBeUndefined();
      expect(message).toMatch(/^a signing key (must be one PKCS#8 block in PEM|cannot be read as PKCS#8)$/);
      for (const line of form.split('\n').filter((text) => text.length > 4)) expect(message).not.toContain(line);
    }
  });

  test('is refused when its public half is another key', () => {
    // In SEC 1 within PKCS#8 the public point is a field of its own: OpenSSL believes it.
    const der = pair.privateKey.export({ format: 'der', type: 'pkcs8' });
    const foreign = generateSigningKey().publicKey.export({ format: 'der', type: 'spki' }).subarray(-64);
    foreign.copy(der, der.length - 64);
    const pem = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`;
    expect(createPrivateKey(pem).asymmetricKeyType).toBe('ec');
    expect(() => importSigningKey(pem)).toThrow('does not verify its own signature');
  });
});

describe('a JWK', () => {
  test('holds the public members alone, and says that it is for signatures', () => {
    expect(jwk.use).toBe('sig');
    expect(Object.keys(jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    expect(Object.keys(exportJwk(generateSigningKey('EdDSA'))).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
    expect(Object.keys(exportJwk(rsa)).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
  });

  test.each([pair, generateSigningKey('EdDSA', 'ed'), rsa])('is imported as the key it came from', (key) => {
    const imported = importJwks([exportJwk(key)]).get(key.kid);
    expect(imported?.alg).toBe(key.alg);
    expect(imported?.publicKey.equals(key.publicKey)).toBe(true);
  });

  test('may have empty members, which are absent: protobuf delivers them so', () => {
    expect(importing({ n: '', e: '', use: '' })().size).toBe(1);
    expect(importing({ crv: '', x: '', y: '' }, exportJwk(rsa))().size).toBe(1);
    expect(importing({ x: '' })).toThrow(TypeError);
    expect(importing({ alg: '' })).toThrow(TypeError);
    expect(importing({ kid: '' })).toThrow(TypeError);
  });

  test('may have other members, which do not count', () => {
    expect(importing({ x5t: 'x', nbf: 1, key_ops: ['verify'] })().size).toBe(1);
  });

  test.each(['kid', 'alg', 'kty', 'crv', 'x', 'y'])('is refused without %s', (name) => {
    expect(importing({ [name]: undefined })).toThrow(TypeError);
  });

  test.each([
    { kid: '../../etc/passwd' },
    { kid: 'a'.repeat(65) },
    { kid: ['k'] },
    { kid: 7 },
    { alg: 'HS256' },
    { alg: 'none' },
    { alg: 'RS256' },
    { alg: 'EdDSA' },
    { alg: ['ES256'] },
    { alg: 'es256' },
    { alg: 'constructor' },
    { kty: 'RSA' },
    { kty: 'oct' },
    { kty: 'ec' },
    { crv: 'P-384' },
    { crv: 'secp256k1' },
    { use: 'enc' },
    { use: ['sig'] },
    { key_ops: ['sign'] },
    { key_ops: ['sign', 'verify'] },
    { d: 'AAAA' },
    { d: '' },
    { k: 'AAAA' },
    { p: undefined },
    { q: 'AAAA' },
    { dp: 'AAAA' },
    { dq: 'AAAA' },
    { qi: 'AAAA' },
    { oth: [] },
    { x: 7 },
    { x: `${jwk.x}=` },
    { x: `${jwk.x}A` },
    { x: jwk.x?.slice(1) },
    { x: base64urlOf(Buffer.concat([Buffer.alloc(1), Buffer.from(jwk.x ?? '', 'base64url')])) },
    { y: jwk.x },
    { x: base64urlOf(Buffer.alloc(32)), y: base64urlOf(Buffer.alloc(32)) },
  ])('is refused with %j', (changes) => {
    expect(importing(changes)).toThrow(TypeError);
  });

  test.each([
    ['a symmetric algorithm', { alg: 'HS256' }, 'alg must be'],
    ['the name of a function for alg', { alg: 'constructor' }, 'alg must be'],
    ['a number for x', { x: 7 }, 'x must be canonical base64url'],
    ['padding after x', { x: `${jwk.x}=` }, 'x must be canonical base64url'],
    ['29 bytes of x', { x: jwk.x?.slice(4) }, 'x must have 32 bytes'],
    ['29 bytes of y', { y: jwk.y?.slice(4) }, 'y must have 32 bytes'],
    ['a point off the curve', { y: jwk.x }, 'it is not a valid public key'],
  ])('with %s is refused for that', (_, changes, what) => {
    expect(importing(changes)).toThrow(`key 0 is refused: ${what}`);
  });

  test.each([
    { n: base64urlOf(Buffer.concat([Buffer.alloc(1), Buffer.from(exportJwk(rsa).n ?? '', 'base64url')])) },
    { e: 'Aw' },
    { e: 'AQ' },
    { e: 'AAEAAQ' },
    { e: '' },
    { n: base64urlOf(Buffer.alloc(128, 0xff)) },
    { n: base64urlOf(Buffer.alloc(2048, 0xff)) },
  ])('of RSA is refused with %j', (changes) => {
    expect(importing(changes, exportJwk(rsa))).toThrow(TypeError);
  });

  test('may have a coordinate that begins with a zero byte', () => {
    const [x, y] = ['AHtL68RY-w3HH4DWk250LJIX_NSw0rM7xymQ_vXpXb8', 'mUHa-8v2i7Vy86a5xNK748XdY481bWpk3jqxId9QSwQ'];
    expect(Buffer.from(x, 'base64url')[0]).toBe(0);
    expect(importing({ x, y })().size).toBe(1);
  });

  test('T-44 of RSA may have 8192 bits, and not 8193', () => {
    const bytes = Buffer.alloc(1024, 0xff);
    expect(importing({ n: base64urlOf(bytes) }, exportJwk(rsa))().size).toBe(1);
    expect(importing({ n: base64urlOf(Buffer.concat([Buffer.from([1]), bytes])) }, exportJwk(rsa))).toThrow('2048 to 8192 bits');
  });

  test('T-44 of RSA may have an exponent of 65537, and not of 65535', () => {
    expect(importing({ e: 'AQAB' }, exportJwk(rsa))().size).toBe(1);
    expect(importing({ e: base64urlOf(Buffer.from([0xff, 0xff])) }, exportJwk(rsa))).toThrow('at least 65537');
  });

  test('T-44 may have a kid of 64 characters, and not of 65', () => {
    expect(importing({ kid: 'a'.repeat(64) })().size).toBe(1);
    expect(importing({ kid: 'a'.repeat(65) })).toThrow(TypeError);
    expect(generateSigningKey('ES256', 'a'.repeat(64)).kid).toHaveLength(64);
    expect(() => generateSigningKey('ES256', 'a'.repeat(65))).toThrow(TypeError);
  });

  test('T-44 of RSA may have 2048 bits, and not 2047', () => {
    const bytes = Buffer.from(exportJwk(rsa).n ?? '', 'base64url');
    expect(importing({ n: base64urlOf(bytes) }, exportJwk(rsa))().size).toBe(1);
    bytes.writeUInt8(0x40, 0);
    expect(importing({ n: base64urlOf(bytes) }, exportJwk(rsa))).toThrow(TypeError);
  });

  test('names its position in a refusal, and no byte of it', () => {
    expect(() => importJwks([jwk, { ...jwk, kid: 'bad kid' }])).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^key 1 (?!.*bad kid)/) }),
    );
  });
});

describe('a set of keys', () => {
  test('has one key for each kid', () => {
    expect(() => importJwks([jwk, jwk])).toThrow('kid is already taken');
    expect(importJwks([jwk, { ...jwk, kid: 'other' }]).size).toBe(2);
  });

  test('finds a key by its exact kid alone', () => {
    const keys = createLocalKeySet([jwk, { ...jwk, kid: 'KEY' }]);
    expect(keys.find(jwk.kid)).toMatchObject({ kid: jwk.kid, alg: 'ES256' });
    for (const kid of ['key', '', '__proto__', 'constructor', 'size']) expect(keys.find(kid)).toBeUndefined();
  });

  test('cannot be made of nothing', () => {
    expect(importJwks([]).size).toBe(0);
    expect(() => createLocalKeySet([])).toThrow(TypeError);
    // Callers without types.
    for (const wrong of [undefined, null, jwk, 'keys']) {
      expect(() => importJwks(wrong as unknown as Jwk[])).toThrow('keys must be a list of JWKs');
    }
    for (const wrong of [undefined, null, 'key']) {
      expect(() => importJwks([wrong as unknown as Jwk])).toThrow('key 0 is refused: it is not an object');
    }
  });
});

describe('the algorithm of a key', () => {
  test('is told by the key object', () => {
    expect(algorithmOf(pair.publicKey)).toBe('ES256');
    expect(algorithmOf(generateSigningKey('EdDSA').privateKey)).toBe('EdDSA');
    expect(algorithmOf(rsa.publicKey)).toBe('RS256');
  });

  test.each(algorithmNames)('%s verifies what it signed, and nothing else', (alg) => {
    const key = alg === 'RS256' ? rsa : generateSigningKey(alg);
    const row = algorithms[alg];
    for (let round = 0; round < (alg === 'RS256' ? 5 : 300); round++) {
      const data = Buffer.from(`message ${round}`);
      const signature = row.sign(data, key.privateKey);
      expect(signature.length).toBe(alg === 'RS256' ? 256 : 64);
      expect(row.verify(data, key.publicKey, signature)).toBe(true);
      expect(row.verify(Buffer.from(`massage ${round}`), key.publicKey, signature)).toBe(false);
    }
  });
});

function base64urlOf(bytes: Buffer): string {
  return bytes.toString('base64url');
}
