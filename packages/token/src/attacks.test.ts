import { createHmac, createPublicKey, createSecretKey, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { algorithmNames, algorithms, isAlgorithm } from './algorithms.ts';
import { parseJsonObject } from './json.ts';
import { checkSignature, parseJws } from './jws.ts';
import { createLocalKeySet, exportJwk, exportSigningKey, generateSigningKey, importJwks, importSigningKey, type Jwk } from './keys.ts';
import { signServiceToken, type VerifiedToken, verifyServiceToken } from './service-token.ts';
import { base64url, claimsWith, headerWith, key, reasonOf, seededRandom, signAnything, verifier } from './testing.ts';

const rsa = generateSigningKey('RS256', 'rsa');
const ed = generateSigningKey('EdDSA', 'ed');
const keys = createLocalKeySet([key, rsa, ed].map(exportJwk));
const verify = (compact: string) => verifyServiceToken(compact, { ...verifier, keys });
const good = signServiceToken(claimsWith(), key);

/** n of P-256 and L of Ed25519. */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const edOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

const scalar = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
const littleEndian = (value: bigint) => scalar(value).reverse();

/** A token of `claimsWith()` with this signature instead of its own. */
function withSignature(signature: Buffer, signer = key): string {
  return `${signServiceToken(claimsWith(), signer).split('.', 2).join('.')}.${base64url(signature)}`;
}

describe('attacks on the algorithm', () => {
  test.each([key, rsa, ed])('T-01 no encoding of a public key serves as an HMAC secret', (victim) => {
    const { publicKey } = victim;
    const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const der = publicKey.export({ format: 'der', type: 'spki' });
    const jwk = publicKey.export({ format: 'jwk' });
    const withKid = exportJwk(victim);
    const [first = '', second = ''] = victim === rsa ? [jwk.n, jwk.e] : [jwk.x, jwk.y];
    const point = Buffer.concat([Buffer.from(first, 'base64url'), Buffer.from(second, 'base64url')]);
    const body = pem.replace(/-----[^-]+-----|\n/g, '');
    const secrets: readonly (string | Buffer)[] = [
      pem,
      pem.trimEnd(),
      ` ${pem}`,
      `\n${pem}`,
      `${pem}\n`,
      `${pem}\u0000`,
      `\ufeff${pem}`,
      pem.replaceAll('\n', '\r\n'),
      pem.replaceAll('\n', ''),
      pem.replaceAll('PUBLIC KEY', 'RSA PUBLIC KEY'),
      body,
      body.replace(/=+$/, ''),
      `${body}\n`,
      der,
      der.toString('hex'),
      der.toString('base64url'),
      JSON.stringify(jwk),
      JSON.stringify(withKid),
      JSON.stringify({ keys: [withKid] }),
      JSON.stringify(withKid, null, 2),
      first,
      second,
      point,
      Buffer.concat([Buffer.from([4]), point]),
      point.toString('hex'),
      point.toString('base64'),
      victim.kid,
    ];
    expect(secrets).toHaveLength(27);
    for (const secret of secrets) {
      for (const [alg, digest] of [['HS256', 'sha256'] as const, ['HS512', 'sha512'] as const, [victim.alg, 'sha256'] as const]) {
        const signingInput = `${base64url(JSON.stringify(headerWith({ alg, kid: victim.kid })))}.${base64url(JSON.stringify(claimsWith()))}`;
        const forged = `${signingInput}.${createHmac(digest, secret).update(signingInput).digest('base64url')}`;
        expect(['TOKEN_MALFORMED', 'TOKEN_SIGNATURE_INVALID']).toContain(reasonOf(() => verify(forged)));
      }
    }
  });

  test('T-02 what a key is for is told by the key inside, whatever surrounds its PEM', () => {
    const random = seededRandom(34950);
    const pem = exportSigningKey(key);
    const junk = [
      '-----BEGIN RSA PRIVATE KEY-----\n',
      '-----BEGIN PUBLIC KEY-----\n',
      '\u0000',
      ' ',
      '\n',
      'RS256',
      '#',
      '\ufeff',
      '{"kty":"oct"}',
    ];
    let imported = 0;
    for (let round = 0; round < 2000; round++) {
      const position = [0, pem.length, random(pem.length)][random(3)] ?? 0;
      const text = pem.slice(0, position) + junk[random(junk.length)] + pem.slice(position);
      try {
        const read = importSigningKey(text);
        imported++;
        expect([read.alg, read.kid]).toEqual(['ES256', key.kid]);
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
      }
    }
    expect(imported).toBeGreaterThan(0);
  });

  test('T-02 a verification key that lies about its algorithm verifies nothing', () => {
    const jws = parseJws(good, { typ: 'at+jwt' });
    for (const alg of ['EdDSA', 'RS256'] as const) {
      expect(reasonOf(() => checkSignature({ ...jws, alg }, { kid: key.kid, alg, publicKey: key.publicKey }))).toBe(
        'TOKEN_SIGNATURE_INVALID',
      );
    }
    // Under the name of RS256 an EC key would verify a signature in DER.
    const data = Buffer.from(jws.signingInput);
    const der = sign('sha256', data, key.privateKey);
    expect(algorithms.RS256.verify(data, key.publicKey, der)).toBe(true);
    const liar = { kid: key.kid, alg: 'RS256', publicKey: key.publicKey } as const;
    expect(reasonOf(() => checkSignature({ ...jws, alg: 'RS256', signature: der }, liar))).toBe('TOKEN_SIGNATURE_INVALID');
    const secret = createSecretKey(Buffer.from(key.publicKey.export({ format: 'pem', type: 'spki' })));
    expect(reasonOf(() => checkSignature(jws, { ...key, publicKey: secret }))).toBe('TOKEN_SIGNATURE_INVALID');
  });

  test('T-03 a JWK without alg is refused when it is loaded, and a loaded one serves its own alg alone', () => {
    const { alg: _, ...withoutAlg } = exportJwk(rsa);
    // A caller without types.
    expect(() => importJwks([withoutAlg as Jwk])).toThrow(TypeError);
    for (const signer of [key, rsa, ed]) {
      for (const other of [key, rsa, ed].filter(({ alg }) => alg !== signer.alg)) {
        expect(reasonOf(() => verify(signAnything(headerWith({ alg: signer.alg, kid: other.kid }), claimsWith(), signer)))).toBe(
          'TOKEN_SIGNATURE_INVALID',
        );
        expect(reasonOf(() => verify(signAnything(headerWith({ alg: other.alg, kid: signer.kid }), claimsWith(), signer)))).toBe(
          'TOKEN_SIGNATURE_INVALID',
        );
      }
    }
  });

  test('T-04 a verifier without keys cannot be made, and nothing unsigned is a token', () => {
    // Callers without types.
    for (const none of [undefined, null, [], [undefined], [{}], ['']])
      expect(() => createLocalKeySet(none as unknown as Jwk[])).toThrow(TypeError);
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, false, undefined]) {
      const body = base64url(JSON.stringify(claimsWith()));
      for (const header of [headerWith({ alg }), { alg }, { alg, typ: 'at+jwt' }]) {
        const unsigned = `${base64url(JSON.stringify(header))}.${body}`;
        for (const compact of [`${unsigned}.`, unsigned, `${unsigned}.AA`, `${unsigned}.${good.split('.')[2]}`]) {
          expect(['TOKEN_MALFORMED', 'TOKEN_TYPE_REJECTED']).toContain(reasonOf(() => verify(compact)));
        }
      }
    }
  });

  test('T-05 a key that comes with the token is neither used nor overlooked', () => {
    const attacker = generateSigningKey('ES256', key.kid);
    for (const member of [
      { jwk: exportJwk(attacker) },
      { jku: 'https://evil.test/jwks' },
      { x5u: 'https://evil.test/c' },
      { x5c: ['MIIB'] },
    ]) {
      expect(reasonOf(() => verify(signAnything(headerWith(member), claimsWith(), attacker)))).toBe('TOKEN_MALFORMED');
      expect(reasonOf(() => verify(signAnything(headerWith(member), claimsWith())))).toBe('TOKEN_MALFORMED');
    }
  });

  test('T-08 there is no symmetric algorithm', () => {
    expect(algorithmNames).toEqual(['ES256', 'EdDSA', 'RS256']);
    expect(Object.keys(algorithms).sort()).toEqual([...algorithmNames].sort());
    for (const alg of ['HS256', 'HS384', 'HS512', 'dir', 'A256GCM']) {
      expect(isAlgorithm(alg)).toBe(false);
      // A caller without types.
      expect(() => importJwks([{ kid: 'k', kty: 'oct', alg, k: 'c2VjcmV0' } as Jwk])).toThrow(TypeError);
    }
  });

  test('T-09 an unsupported header or algorithm is an error, whatever it is and however it is signed', () => {
    for (const crit of [['exp'], ['b64'], ['http://example.com/UNDEFINED'], [], ['alg'], 'exp', null, {}]) {
      expect(reasonOf(() => verify(signAnything(headerWith({ crit }), claimsWith())))).toBe('TOKEN_MALFORMED');
    }
    for (const alg of ['ES384', 'ES512', 'ES256K', 'PS256', 'RS384', 'Ed25519', 'Ed448', 'ML-DSA-44', 'ES256\u0000', 'eS256']) {
      expect(reasonOf(() => verify(signAnything(headerWith({ alg }), claimsWith())))).toBe('TOKEN_MALFORMED');
    }
  });
});

describe('attacks on the signature', () => {
  test('T-06 an ECDSA signature has r and s from 1 to n−1, in 64 bytes', () => {
    const real = Buffer.from(good.split('.')[2] ?? '', 'base64url');
    const r = BigInt(`0x${real.subarray(0, 32).toString('hex')}`);
    const s = BigInt(`0x${real.subarray(32).toString('hex')}`);
    const edges = [0n, 1n, order - 1n, order, order + 1n, 2n ** 256n - 1n];
    for (const first of [...edges, r]) {
      for (const second of [...edges, s]) {
        if (first === r && second === s) continue;
        expect(reasonOf(() => verify(withSignature(Buffer.concat([scalar(first), scalar(second)]))))).toBe('TOKEN_SIGNATURE_INVALID');
      }
    }
    const der = Buffer.concat([Buffer.from([0x30, 0x44, 0x02, 0x20]), real.subarray(0, 32), Buffer.from([0x02, 0x20]), real.subarray(32)]);
    const lengths = [
      real.subarray(0, 63),
      real.subarray(1),
      Buffer.concat([real, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), real]),
    ];
    for (const signature of [
      ...lengths,
      der,
      Buffer.concat([real, Buffer.alloc(32)]),
      Buffer.alloc(1),
      Buffer.alloc(64),
      Buffer.alloc(96),
    ]) {
      expect(reasonOf(() => verify(withSignature(signature)))).toBe('TOKEN_SIGNATURE_INVALID');
    }
  });

  test('T-06 signatures of every length of r and s are right: leading zero bytes and high bits', () => {
    const seen = new Set<string>();
    for (let round = 0; round < 3000; round++) {
      const message = Buffer.from(`${round}`);
      const signature = algorithms.ES256.sign(message, key.privateKey);
      seen.add(`${signature[0] === 0}${signature[32] === 0}${signature.readUInt8(0) > 127}`);
      expect(algorithms.ES256.verify(message, key.publicKey, signature)).toBe(true);
    }
    expect(seen.size).toBeGreaterThanOrEqual(4);
  });

  test('T-06 an Ed25519 signature has one form: neither S + L, nor the identity for R, nor another length', () => {
    const real = Buffer.from(signServiceToken(claimsWith(), ed).split('.')[2] ?? '', 'base64url');
    expect(verify(withSignature(real, ed))).toBeDefined();
    const s = BigInt(`0x${Buffer.from(real.subarray(32)).reverse().toString('hex')}`);
    const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
    const forged = [
      Buffer.concat([real.subarray(0, 32), littleEndian(s + edOrder)]),
      Buffer.concat([real.subarray(0, 32), littleEndian(edOrder)]),
      Buffer.concat([identity, Buffer.alloc(32)]),
      Buffer.concat([identity, real.subarray(32)]),
      Buffer.alloc(64),
      real.subarray(0, 63),
      Buffer.concat([real, Buffer.alloc(1)]),
    ];
    for (const signature of forged) expect(reasonOf(() => verify(withSignature(signature, ed)))).toBe('TOKEN_SIGNATURE_INVALID');
  });

  test.each([
    `01${'00'.repeat(31)}`,
    `01${'00'.repeat(30)}80`,
    '00'.repeat(32),
    `${'00'.repeat(31)}80`,
    `ec${'ff'.repeat(30)}7f`,
    `ed${'ff'.repeat(30)}7f`,
    `ee${'ff'.repeat(30)}7f`,
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  ])('T-06 the Ed25519 point of small order %s, under which one signature would fit many messages, verifies none', (point) => {
    const x = base64url(Buffer.from(point, 'hex'));
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
    // With a key of order 8 at the latest every eighth message would be signed by this.
    for (let round = 0; round < 100; round++) {
      for (const r of [identity, Buffer.from(point, 'hex')]) {
        expect(algorithms.EdDSA.verify(Buffer.from(`${round}`), publicKey, Buffer.concat([r, Buffer.alloc(32)]))).toBe(false);
      }
    }
  });

  test('T-06 an RSA signature has the length of its key', () => {
    const real = Buffer.from(signServiceToken(claimsWith(), rsa).split('.')[2] ?? '', 'base64url');
    expect(verify(withSignature(real, rsa))).toBeDefined();
    for (const signature of [
      real.subarray(1),
      Buffer.concat([Buffer.alloc(1), real]),
      Buffer.alloc(256),
      Buffer.alloc(256, 0xff),
      Buffer.alloc(1),
    ]) {
      expect(reasonOf(() => verify(withSignature(signature, rsa)))).toBe('TOKEN_SIGNATURE_INVALID');
    }
  });

  test('T-07 a kid is a name in a Map and nothing else', () => {
    const hostile = [
      '../../dev/null',
      "x' UNION SELECT 'k",
      'k|id',
      '$(id)',
      'k\u0000',
      'k\r\nX: y',
      'https://evil.test',
      '%2e%2e',
      '',
      ' ',
      'ключ',
    ];
    for (const kid of hostile) expect(reasonOf(() => verify(signAnything(headerWith({ kid }), claimsWith())))).toBe('TOKEN_MALFORMED');
    for (const kid of ['__proto__', 'constructor', 'prototype', 'toString', 'size', 'get', '0', '..', 'a'.repeat(64)]) {
      expect(reasonOf(() => verify(signAnything(headerWith({ kid }), claimsWith())))).toBe('SIGNING_KEY_UNKNOWN');
    }
    expect(reasonOf(() => verify(signAnything(headerWith({ kid: 'a'.repeat(65) }), claimsWith())))).toBe('TOKEN_MALFORMED');
  });
});

describe('attacks on the claims', () => {
  test('T-10 issuer, audience, subject and type are compared by type, then by ===', () => {
    const { issuer, audience } = verifier;
    const claims = ['iss', 'aud', 'sub'] as const;
    const own = { iss: String(issuer), aud: audience, sub: claimsWith().sub };
    for (const name of claims) {
      const right = own[name];
      for (const value of [[right], [right, 'x'], { [right]: 1 }, { toString: right }, true, 0, null]) {
        expect(reasonOf(() => verify(signAnything(headerWith(), claimsWith({ [name]: value }))))).toBe('TOKEN_MALFORMED');
      }
    }
    for (const mangle of [
      (text: string) => text.slice(0, -1),
      (text: string) => `${text}x`,
      (text: string) => text.toUpperCase(),
      (text: string) => `${text}/`,
      (text: string) => text.slice(1),
    ]) {
      expect(reasonOf(() => verify(signAnything(headerWith(), claimsWith({ iss: mangle(own.iss) }))))).toBe('ISSUER_UNTRUSTED');
      expect(reasonOf(() => verify(signAnything(headerWith(), claimsWith({ aud: mangle(own.aud) }))))).toBe('AUDIENCE_MISMATCH');
    }
    for (const typ of [['at+jwt'], { 0: 'at+jwt' }, true, 'xat+jwt', 'at+jwtx']) {
      expect(reasonOf(() => verify(signAnything(headerWith({ typ }), claimsWith())))).toBe('TOKEN_TYPE_REJECTED');
    }
  });

  test('T-16 no member reaches a prototype, none counts twice, and what was verified stays as it was', () => {
    const body = JSON.stringify(claimsWith()).slice(0, -1);
    for (const member of [
      '"__proto__":{"admin":true}',
      '"constructor":{"prototype":{"admin":true}}',
      '"prototype":{}',
      '"\\u005f\\u005fproto\\u005f\\u005f":{}',
      '"act":{"sub":"a","__proto__":{}}',
      '"sub":"spiffe://shop.test/admin"',
      '"s\\u0075b":"spiffe://shop.test/admin"',
    ]) {
      expect(reasonOf(() => verify(signAnything(headerWith(), `${body},${member}}`)))).toBe('TOKEN_MALFORMED');
    }
    expect('admin' in {}).toBe(false);
    const { claims } = verify(good) as VerifiedToken;
    expect(() => Object.assign(claims, { sub: 'spiffe://shop.test/admin' })).toThrow(TypeError);
    expect(claims.sub).toBe('spiffe://shop.test/orders');
  });
});

describe('attacks on the shape', () => {
  test('T-12 five parts are refused before any of them is read', () => {
    const jwe = [base64url('{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2147483647,"zip":"DEF"}'), 'AA', 'AA', 'AA', 'AA'].join('.');
    const started = performance.now();
    for (let round = 0; round < 1000; round++) expect(reasonOf(() => verify(jwe))).toBe('TOKEN_MALFORMED');
    expect(performance.now() - started).toBeLessThan(1000);
    // Whoever read its header would say that the type is another.
    expect(reasonOf(() => verify(`${base64url(JSON.stringify(headerWith({ typ: 'JWT' })))}.AA.AA.AA.AA`))).toBe('TOKEN_MALFORMED');
  });

  test('T-13 the size is looked at before the text: a hundred thousand dots take less than a millisecond', () => {
    for (const text of ['.'.repeat(100_000), `${good}${'.'.repeat(100_000)}`, '.'.repeat(4096), 'A'.repeat(4096), `${'A.'.repeat(2048)}`]) {
      const started = performance.now();
      for (let round = 0; round < 100; round++) expect(reasonOf(() => verify(text))).toBe('TOKEN_MALFORMED');
      expect((performance.now() - started) / 100).toBeLessThan(1);
    }
    // Whoever read its header would say that the type is another.
    expect(reasonOf(() => verify(signAnything(headerWith({ typ: 'JWT' }), { a: 'x'.repeat(4096) })))).toBe('TOKEN_MALFORMED');
  });

  test('T-14 the character set of the whole text comes first: no JSON, list or decorated form is a token', () => {
    const [header = '', payload = '', signature = ''] = good.split('.');
    const general = { payload, signatures: [{ protected: header, signature }] };
    for (const text of [
      JSON.stringify({ protected: header, payload, signature }),
      JSON.stringify(general),
      `{"${good}":1}`,
      `  ${good}`,
      `${good}\r\n`,
      `${good}, ${good}`,
      `"${good}"`,
      `Bearer ${good}`,
      good.replaceAll('.', '\u3002'),
      good.replaceAll('.', '%2E'),
    ]) {
      expect(reasonOf(() => verify(text))).toBe('TOKEN_MALFORMED');
    }
  });

  test('T-15 of names that collide in the hash of the engine, a hundred thousand of them, none is read after the 64th', () => {
    // Array indices are hashed without a secret part; these differ in the bits that the table does not look at.
    const names = Array.from({ length: 100_000 }, (_, index) => `"${index * 16_384}"`);
    /** Reads them with one that repeats the first: that is noticed as far as names are read. */
    const readRepeatedAt = (member: number) => parseJsonObject(Buffer.from(`{${names.with(member - 1, '"0"').join(':0,')}:0}`));
    expect(() => readRepeatedAt(64)).toThrow('malformed JSON: a member occurs twice');
    expect(() => readRepeatedAt(65)).toThrow('malformed JSON: too many members');
  });
});
