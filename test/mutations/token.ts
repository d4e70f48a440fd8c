import type { Mutation } from './mutation.ts';

const algorithms = 'packages/token/src/algorithms.ts';
const claims = 'packages/token/src/claims.ts';
const jws = 'packages/token/src/jws.ts';
const keys = 'packages/token/src/keys.ts';
const serviceToken = 'packages/token/src/service-token.ts';
const attacksTest = 'packages/token/src/attacks.test.ts';
const jwsTest = 'packages/token/src/jws.test.ts';
const serviceTokenTest = 'packages/token/src/service-token.test.ts';

/** Defences of packages/token: what a service token is. */
export const tokenMutations: readonly Mutation[] = [
  {
    of: ['RFC 9068 2.1'],
    file: jws,
    find: "serviceToken: 'at+jwt'",
    put: "serviceToken: 'jwt'",
    fails: { file: serviceTokenTest, title: 'of %s is accepted by jose under its strict options as well' },
  },
  {
    of: ['RFC 9068 2.1'],
    file: algorithms,
    find: "    sign: (data, privateKey) => sign('sha256', data, privateKey),",
    put: "    sign: (data, privateKey) => sign('sha512', data, privateKey),",
    fails: { file: serviceTokenTest, title: 'of %s is accepted by jose under its strict options as well', case: 'RS256' },
  },
  {
    of: ['RFC 9068 2.2'],
    file: claims,
    find: "  if (typeof value !== 'string' || value.length > maxLength ||",
    put: "  if (value === undefined) return '';\n  if (typeof value !== 'string' || value.length > maxLength ||",
    fails: { file: serviceTokenTest, title: 'refuses a signed token without %s', case: 'jti' },
  },
  {
    of: ['RFC 9068 2.2'],
    file: claims,
    find: "  if (typeof value !== 'string' || value === '' ||",
    put: "  if (value === undefined) return '';\n  if (typeof value !== 'string' || value === '' ||",
    fails: { file: serviceTokenTest, title: 'refuses a signed token without %s', case: 'sub' },
  },
  {
    of: ['RFC 9068 2.2'],
    file: claims,
    find: "  if (typeof value !== 'number' ||",
    put: "  if (value === undefined) return 0;\n  if (typeof value !== 'number' ||",
    fails: { file: serviceTokenTest, title: 'refuses a signed token without %s', case: 'rn' },
  },
  {
    of: ['call chain'],
    file: claims,
    find: 'txn: payload.txn === undefined ? jti : ',
    put: "txn: payload.txn === undefined ? '' : ",
    fails: {
      file: 'packages/token/src/claims.test.ts',
      title: 'without txn begin a chain of their own, and with any that is no id are refused',
    },
  },
  {
    of: ['call chain'],
    file: claims,
    find: 'txn: payload.txn === undefined ? jti : ',
    put: 'txn: payload.txn === undefined || payload.txn === null ? jti : ',
    fails: {
      file: 'packages/token/src/claims.test.ts',
      title: 'without txn begin a chain of their own, and with any that is no id are refused',
    },
  },
  {
    of: ['call chain'],
    file: serviceToken,
    find: 'checked.txn === checked.jti ?',
    put: "checked.txn !== '' ?",
    fails: { file: serviceTokenTest, title: 'that was signed is verified' },
  },
  {
    of: ['RFC 9068 4', 'T-28'],
    file: serviceToken,
    find: 'if (!trusted)',
    put: 'if (!trusted && issuer === undefined)',
    fails: { file: serviceTokenTest, title: 'accepts its issuer alone, or one of several' },
  },
  {
    of: ['RFC 9068 4'],
    file: serviceToken,
    find: 'audience !== undefined && claims.aud !== audience',
    put: 'audience !== undefined && !claims.aud.startsWith(audience)',
    fails: { file: serviceTokenTest, title: 'accepts its own audience alone' },
  },
  {
    of: ['RFC 9068 4'],
    file: jws,
    find: "!(allowUntyped && typ === 'jwt')",
    put: "typ !== 'jwt'",
    fails: { file: jwsTest, title: '%j is not at+jwt' },
  },
  {
    of: ['RFC 9068 4'],
    file: jws,
    find: '  if (!algorithms[key.alg].verify(',
    put: '  if (jws.signature.length === 0 && !algorithms[key.alg].verify(',
    fails: { file: serviceTokenTest, title: 'refuses a foreign signature under a known kid' },
  },
  {
    of: ['RFC 9068 4'],
    file: serviceToken,
    find: 'if (!(now < claims.exp + clockToleranceSeconds))',
    put: 'if (!(now <= claims.exp + clockToleranceSeconds))',
    fails: { file: serviceTokenTest, title: 'accepts a token until the tolerance after exp is over' },
  },
  {
    of: ['T-01'],
    file: jws,
    find: "  if (!algorithms[key.alg].verify(Buffer.from(jws.signingInput, 'latin1'), key.publicKey, jws.signature)) {",
    put: `  const { createHmac } = process.getBuiltinModule('node:crypto');
  const secret = key.publicKey.export({ format: 'pem', type: 'spki' });
  const mac = createHmac('sha256', secret).update(jws.signingInput).digest();
  if (!mac.equals(jws.signature) && !algorithms[key.alg].verify(Buffer.from(jws.signingInput, 'latin1'), key.publicKey, jws.signature)) {`,
    fails: { file: attacksTest, title: 'T-01 no encoding of a public key serves as an HMAC secret' },
  },
  {
    of: ['T-02'],
    file: keys,
    find: '/^\\s*-----BEGIN PRIVATE KEY-----',
    put: '/-----BEGIN PRIVATE KEY-----',
    also: [
      {
        file: keys,
        find: 'const alg = algorithmOf(privateKey);',
        put: "const alg = pem.includes('RS256') ? 'RS256' : algorithmOf(privateKey);",
      },
    ],
    fails: { file: attacksTest, title: 'T-02 what a key is for is told by the key inside, whatever surrounds its PEM' },
  },
  {
    of: ['T-02'],
    file: jws,
    find: " || key.publicKey.type !== 'public' || algorithmOf(key.publicKey) !== key.alg",
    put: " || key.publicKey.type !== 'public'",
    fails: { file: attacksTest, title: 'T-02 a verification key that lies about its algorithm verifies nothing' },
  },
  {
    of: ['T-03'],
    file: keys,
    find: 'const key = importJwk(jwk);',
    put: "const key = importJwk({ ...jwk, alg: jwk.alg ?? 'RS256' });",
    fails: { file: attacksTest, title: 'T-03 a JWK without alg is refused when it is loaded, and a loaded one serves its own alg alone' },
  },
  {
    of: ['T-03'],
    file: jws,
    find: 'jws.kid !== key.kid || jws.alg !== key.alg ||',
    put: 'jws.kid !== key.kid ||',
    fails: { file: attacksTest, title: 'T-03 a JWK without alg is refused when it is loaded, and a loaded one serves its own alg alone' },
  },
  {
    of: ['T-04'],
    file: keys,
    find: 'if (imported.size === 0)',
    put: 'if (imported.size < 0)',
    fails: { file: attacksTest, title: 'T-04 a verifier without keys cannot be made, and nothing unsigned is a token' },
  },
  {
    of: ['T-04'],
    file: algorithms,
    find: "  return value === 'ES256'",
    put: "  return value === 'none' || value === 'ES256'",
    also: [
      { file: jws, find: '  if (jws.kid !== key.kid ||', put: "  if (String(jws.alg) === 'none') return;\n  if (jws.kid !== key.kid ||" },
    ],
    fails: { file: attacksTest, title: 'T-04 a verifier without keys cannot be made, and nothing unsigned is a token' },
  },
  {
    of: ['T-05'],
    file: jws,
    find: "new Set(['alg', 'kid', 'typ'])",
    put: "new Set(['alg', 'kid', 'typ', 'jwk', 'jku', 'x5u', 'x5c'])",
    fails: { file: attacksTest, title: 'T-05 a key that comes with the token is neither used nor overlooked' },
  },
  {
    of: ['T-06'],
    file: algorithms,
    find: 'return signature.length === 64 && isScalar',
    put: 'return signature.length >= 64 && isScalar',
    fails: { file: attacksTest, title: 'T-06 an ECDSA signature has r and s from 1 to n−1, in 64 bytes' },
  },
  {
    of: ['T-06'],
    file: algorithms,
    find: '  const rPadding = raw.readUInt8(r) >> 7;',
    put: '  const rPadding = 0;',
    fails: { file: attacksTest, title: 'T-06 signatures of every length of r and s are right: leading zero bytes and high bits' },
  },
  {
    of: ['T-06'],
    file: algorithms,
    find: 'verify(null, data, publicKey, signature)',
    put: 'verify(null, data, publicKey, signature.subarray(0, 64))',
    fails: {
      file: attacksTest,
      title: 'T-06 an Ed25519 signature has one form: neither S + L, nor the identity for R, nor another length',
    },
  },
  {
    // node:crypto holds here; this stands for a library that does not.
    of: ['T-06'],
    file: algorithms,
    find: 'verify(null, data, publicKey, signature)',
    put: 'signature.subarray(32).every((byte) => byte === 0) || verify(null, data, publicKey, signature)',
    fails: {
      file: attacksTest,
      title: 'T-06 the Ed25519 point of small order %s, under which one signature would fit many messages, verifies none',
    },
  },
  {
    of: ['T-06'],
    file: algorithms,
    find: "    verify: (data, publicKey, signature) => verify('sha256', data, publicKey, signature),",
    put: "    verify: (data, publicKey, signature) => verify('sha256', data, publicKey, signature.subarray(-256)),",
    fails: { file: attacksTest, title: 'T-06 an RSA signature has the length of its key' },
  },
  {
    of: ['T-07'],
    file: keys,
    find: '/^[A-Za-z0-9._-]{1,64}$/',
    put: '/^.{1,64}$/s',
    fails: { file: attacksTest, title: 'T-07 a kid is a name in a Map and nothing else' },
  },
  {
    of: ['T-07'],
    file: keys,
    find: 'find: (kid) => imported.get(kid)',
    put: 'find: (kid) => Object.fromEntries(imported)[kid]',
    fails: { file: attacksTest, title: 'T-07 a kid is a name in a Map and nothing else' },
  },
  {
    of: ['T-08'],
    file: algorithms,
    find: "  return value === 'ES256'",
    put: "  return value === 'HS256' || value === 'ES256'",
    fails: { file: attacksTest, title: 'T-08 there is no symmetric algorithm' },
  },
  {
    of: ['T-09'],
    file: jws,
    find: 'if (!headerMembers.has(name)) throw',
    put: "if (!headerMembers.has(name) && name !== 'crit') throw",
    fails: { file: attacksTest, title: 'T-09 an unsupported header or algorithm is an error, whatever it is and however it is signed' },
  },
  {
    of: ['T-09'],
    file: jws,
    find: "  if (!isAlgorithm(header.alg)) throw malformed('alg is none of ES256, EdDSA and RS256');",
    put: '',
    also: [{ file: jws, find: '    alg: header.alg,', put: "    alg: isAlgorithm(header.alg) ? header.alg : 'ES256'," }],
    fails: { file: attacksTest, title: 'T-09 an unsupported header or algorithm is an error, whatever it is and however it is signed' },
  },
  {
    of: ['T-10'],
    file: serviceToken,
    find: 'claims.iss === issuer',
    put: 'issuer.includes(claims.iss)',
    fails: { file: attacksTest, title: 'T-10 issuer, audience, subject and type are compared by type, then by ===' },
  },
  {
    of: ['T-10'],
    file: claims,
    find: "aud: sharedText(readId(payload.aud, 'aud'))",
    put: "aud: sharedText(readId(Array.isArray(payload.aud) ? payload.aud[0] : payload.aud, 'aud'))",
    fails: { file: attacksTest, title: 'T-10 issuer, audience, subject and type are compared by type, then by ===' },
  },
  {
    of: ['T-10'],
    file: jws,
    find: 'typ !== bareType(expected)',
    put: '!typ.includes(bareType(expected))',
    fails: { file: attacksTest, title: 'T-10 issuer, audience, subject and type are compared by type, then by ===' },
  },
  {
    of: ['T-12'],
    file: jws,
    find: '/^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$/',
    put: '/^[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+){2,4}$/',
    fails: { file: attacksTest, title: 'T-12 five parts are refused before any of them is read' },
  },
  {
    of: ['T-13'],
    file: jws,
    find: "  if (compact.length > maxBytes) throw malformed('larger than allowed');",
    put: '',
    fails: { file: attacksTest, title: 'T-13 the size is looked at before the text: a hundred thousand dots take less than a millisecond' },
  },
  {
    of: ['T-14'],
    file: jws,
    find: "  if (!compactGrammar.test(compact)) throw malformed('not three parts of base64url');",
    put: '',
    also: [
      {
        file: 'packages/token/src/base64url.ts',
        find: "return bytes.toString('base64url') === text ? bytes : undefined;",
        put: 'return bytes;',
      },
    ],
    fails: { file: attacksTest, title: 'T-14 the character set of the whole text comes first: no JSON, list or decorated form is a token' },
  },
  {
    of: ['T-15'],
    file: 'packages/token/src/json.ts',
    find: "    if (members > maxMembers) throw malformed('too many members');",
    put: '',
    fails: {
      file: attacksTest,
      title: 'T-15 of names that collide in the hash of the engine, a hundred thousand of them, none is read after the 64th',
    },
  },
  {
    of: ['T-16'],
    file: 'packages/token/src/json.ts',
    find: "    if (forbiddenNames.has(name)) throw malformed('a forbidden member name');",
    put: '',
    fails: { file: attacksTest, title: 'T-16 no member reaches a prototype, none counts twice, and what was verified stays as it was' },
  },
  {
    of: ['T-16'],
    file: 'packages/token/src/json.ts',
    find: "    if (name in object) throw malformed('a member occurs twice');",
    put: '',
    fails: { file: attacksTest, title: 'T-16 no member reaches a prototype, none counts twice, and what was verified stays as it was' },
  },
  {
    of: ['T-16'],
    file: claims,
    find: '  return Object.freeze(claims);',
    put: '  return claims;',
    fails: { file: attacksTest, title: 'T-16 no member reaches a prototype, none counts twice, and what was verified stays as it was' },
  },
  {
    of: ['T-29'],
    file: serviceToken,
    find: "if (typeof audience !== 'string' || audience === '')",
    put: "if (typeof audience !== 'string')",
    fails: { file: serviceTokenTest, title: 'T-29 cannot be set up with %j' },
  },
];
