import type { Mutation } from './mutation.ts';

const keys = 'packages/token/src/keys.ts';
const assertion = 'packages/token/src/client-assertion.ts';
const assertionTest = 'packages/token/src/client-assertion.test.ts';
const proof = 'packages/token/src/dpop-proof.ts';
const proofTest = 'packages/token/src/dpop-proof.test.ts';

/** Defences of packages/token: what a client proves, with an assertion or with a DPoP proof. */
export const clientProofMutations: readonly Mutation[] = [
  {
    of: ['RFC 7523 3 (1, 2)'],
    file: assertion,
    find: "iss === '' || iss !== sub",
    put: "iss === ''",
    fails: { file: assertionTest, title: 'names one client, as issuer and as subject' },
  },
  {
    of: ['RFC 7523 3 (3), bis 4', 'T-19'],
    file: assertion,
    find: 'if (aud !== audience)',
    put: 'if (![aud].flat().includes(audience))',
    fails: { file: assertionTest, title: 'T-19 is for this issuer alone, as the sole value' },
  },
  {
    of: ['RFC 7523 3 (3), bis 4', 'T-19'],
    file: assertion,
    find: 'if (aud !== audience)',
    put: 'if (!String(aud).startsWith(audience))',
    fails: { file: assertionTest, title: 'T-19 is for this issuer alone, as the sole value' },
  },
  {
    of: ['RFC 7523 3 (4)'],
    file: assertion,
    find: "  if (typeof exp !== 'number') throw",
    put: "  if (exp === undefined) return;\n  if (typeof exp !== 'number') throw",
    fails: { file: assertionTest, title: 'must have exp' },
  },
  {
    of: ['RFC 7523 3 (4)'],
    file: assertion,
    find: 'if (!(now < exp + tolerance))',
    put: 'if (!(now <= exp + tolerance))',
    fails: { file: assertionTest, title: 'is accepted until the tolerance after exp is over' },
  },
  {
    of: ['RFC 7523 3 (5)'],
    file: assertion,
    find: 'Math.max(iat ?? 0, nbf ?? 0)',
    put: '(iat ?? 0)',
    fails: { file: assertionTest, title: 'is accepted from the tolerance before iat and nbf on' },
  },
  {
    of: ['RFC 7523 3 (9)'],
    file: assertion,
    find: '    checkSignature(jws, key);\n',
    put: '',
    fails: { file: assertionTest, title: 'must be signed by a key of the client' },
  },
  {
    of: ['RFC 7523 3 (10)'],
    file: assertion,
    find: "throw new TokenError('CLIENT_AUTHENTICATION_FAILED', 'the client assertion is refused', { cause });",
    put: 'throw cause;',
    fails: { file: assertionTest, title: '%j is refused like every other' },
  },
  {
    of: ['RFC 9449 4.3'],
    file: proof,
    find: "if (cause instanceof TokenError && cause.reason !== 'PROOF_INVALID') throw invalid('the proof is malformed', cause);",
    put: '',
    fails: { file: proofTest, title: 'refuses what is no compact JWS' },
  },
  {
    of: ['RFC 9449 4.3'],
    file: proof,
    find: "if (typeof jti !== 'string' || !jtiGrammar.test(jti))",
    put: "if (jti !== undefined && (typeof jti !== 'string' || !jtiGrammar.test(jti)))",
    fails: { file: proofTest, title: 'refuses %s', case: 'no jti' },
  },
  {
    of: ['RFC 9449 4.3', 'T-05'],
    file: proof,
    find: '/^(application\\/)?dpop\\+jwt$/i',
    put: '/jwt$/i',
    fails: { file: proofTest, title: 'T-05: refuses a proof with %s', case: 'the typ of any JWT' },
  },
  {
    of: ['RFC 9449 4.3', 'T-05'],
    file: proof,
    find: '    if (!isAlgorithm(alg)) throw',
    put: `    if (alg === 'none') return { key: readKey(header.jwk, 'ES256'), payload: parseJsonObject(decodePart(parts.payload)) };
    if (!isAlgorithm(alg)) throw`,
    fails: { file: proofTest, title: 'T-05: refuses a proof with %s', case: 'alg none' },
  },
  {
    of: ['RFC 9449 4.3'],
    file: proof,
    find: '    if (!algorithms[alg].verify(',
    put: '    if (signature.length === 0 && !algorithms[alg].verify(',
    fails: { file: proofTest, title: 'refuses a proof that was changed after it was signed' },
  },
  {
    of: ['T-05'],
    file: proof,
    find: '    if (!algorithms[alg].verify(',
    put: '    if (signature.length === 0 && !algorithms[alg].verify(',
    fails: { file: proofTest, title: 'T-05: refuses a proof with %s', case: 'the key of somebody else' },
  },
  {
    of: ['RFC 9449 4.3', 'T-05'],
    file: keys,
    find: "  if (privateMembers.some((name) => Object.hasOwn(jwk, name))) throw new TypeError('it has private members');",
    put: '',
    fails: { file: proofTest, title: 'T-05: refuses a proof with %s', case: 'a private key' },
  },
  {
    of: ['T-05'],
    file: proof,
    find: 'if (!headerMembers.has(name)) throw',
    put: "if (!headerMembers.has(name) && name !== 'crit' && name !== 'b64') throw",
    fails: { file: proofTest, title: 'T-05: refuses a proof with %s', case: 'a critical extension' },
  },
  {
    // An HMAC keyed by the key that came along.
    of: ['T-08'],
    file: proof,
    find: '    if (!isAlgorithm(alg)) throw',
    put: `    if (alg === 'HS256') {
      const { createHmac } = process.getBuiltinModule('node:crypto');
      const { k } = header.jwk as { readonly k: string };
      const mac = createHmac('sha256', Buffer.from(k, 'base64url')).update(parts.signingInput).digest('base64url');
      if (mac === parts.signature) return { key: readKey(exportJwk(generated), 'ES256'), payload: parseJsonObject(decodePart(parts.payload)) };
    }
    if (!isAlgorithm(alg)) throw`,
    also: [
      {
        file: proof,
        find: 'const maxProofBytes = 4096;',
        put: "const maxProofBytes = 4096;\nconst generated = { alg: 'ES256', kid: 'k', ...algorithms.ES256.generate() } as const;",
      },
      {
        file: proof,
        find: 'function readKey(jwk: JsonObject[string] | undefined,',
        put: 'function readKey(jwk: object | string | number | boolean | null | undefined,',
      },
    ],
    fails: { file: proofTest, title: 'T-08: refuses a symmetric key' },
  },
  {
    of: ['RFC 9449 4.3'],
    file: proof,
    find: "  if (payload.htm !== htm) throw invalid('htm is another method');",
    put: '',
    fails: { file: proofTest, title: 'refuses %s', case: 'another method' },
  },
  {
    of: ['RFC 9449 4.3'],
    file: proof,
    find: 'normalUri(payload.htu) !== htu',
    put: 'payload.htu !== htu',
    fails: { file: proofTest, title: 'compares the URI after normalization, without query and fragment' },
  },
  {
    of: ['RFC 9449 4.3'],
    file: proof,
    find: ' || normalUri(payload.htu) !== htu',
    put: '',
    fails: { file: proofTest, title: 'refuses an htu of %s' },
  },
  {
    of: ['RFC 9449 4.3'],
    file: proof,
    find: 'if (nonce !== undefined && !',
    put: 'if (nonce !== undefined && payload.nonce !== undefined && !',
    fails: { file: proofTest, title: 'asks for the nonce that it expects' },
  },
  {
    of: ['RFC 9449 4.3'],
    file: proof,
    find: "  if (!(nowSeconds < iat + maxAgeSeconds + clockToleranceSeconds)) throw invalid('iat is too old');",
    put: '',
    fails: { file: proofTest, title: 'takes a proof up to its age and tolerance, and not a second longer' },
  },
  {
    of: ['RFC 9449 4.3'],
    file: proof,
    find: 'if (payload.ath !== (accessToken === undefined ? undefined : accessTokenHash(accessToken)))',
    put: "if (accessToken === undefined ? payload.ath !== undefined : typeof payload.ath !== 'string')",
    fails: { file: proofTest, title: 'binds a proof to the access token that it came with' },
  },
];
