import { createPrivateKey, createPublicKey, type JsonWebKey } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Algorithm, algorithmOf, algorithms } from './algorithms.ts';
import { verifyDpopProof } from './dpop-proof.ts';
import { parseJws } from './jws.ts';
import { exportSigningKey, importJwks, importSigningKey, type Jwk, thumbprint } from './keys.ts';
import { reasonOf } from './testing.ts';

// Vectors that nobody here wrote (RFC texts, the JOSE cookbook, Wycheproof) lie outside the repository.
const folder = process.env.TOKENMESH_VECTORS ?? fileURLToPath(new URL('../../../../shared/vectors', import.meta.url));
const present = existsSync(folder);
if (!present) console.log(`vectors: skipped, there is no folder ${folder}`);

/** Files without a case for us, and why. */
const notOurs: Readonly<Record<string, string>> = {
  'wycheproof/primitives/hmac_sha256_test.json': 'there is no symmetric algorithm in the mesh',
  'wycheproof/primitives/hmac_sha384_test.json': 'there is no symmetric algorithm in the mesh',
  'wycheproof/primitives/hmac_sha512_test.json': 'there is no symmetric algorithm in the mesh',
  'rfc7520/curve25519/ecdh-es.json': 'nothing is encrypted for a recipient',
  'asvs5/asvs-5.0.0-en.flat.json': 'requirements, not cases',
};
const filesRead = new Set<string>();
let total = 0;

// biome-ignore lint/suspicious/noExplicitAny: files of several foreign schemas
function read(path: string): any {
  filesRead.add(path);
  return JSON.parse(readFileSync(join(folder, path), 'utf8'));
}

function report(what: string, cases: number): void {
  total += cases;
  console.log(`vectors: ${what}: ${cases} cases`);
}

/** Splits a compact JWS without any check. */
function split(compact: string): { readonly data: Buffer; readonly signature: Buffer } {
  const dot = compact.lastIndexOf('.');
  return { data: Buffer.from(compact.slice(0, dot)), signature: Buffer.from(compact.slice(dot + 1), 'base64url') };
}

const imported = (jwk: object, alg: Algorithm) => {
  const key = importJwks([{ ...jwk, kid: 'k', alg } as Jwk]).get('k');
  if (key === undefined) throw new Error('unreachable: all keys are imported, or none');
  return key.publicKey;
};

interface WycheproofTest {
  readonly tcId: number;
  readonly msg: string;
  readonly sig: string;
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

interface WycheproofGroup {
  readonly publicKeyPem: string;
  readonly tests: readonly WycheproofTest[];
}

const groupsOf = (file: string): readonly WycheproofGroup[] => read(`wycheproof/primitives/${file}_test.json`).testGroups;

describe.skipIf(!present)('third-party vectors', () => {
  test('RFC 9449 section 4.2: the DPoP proof is by the key of its thumbprint', () => {
    const { proof, claims, jkt } = read('rfc/rfc9449-dpop.json');
    const { htm, htu, iat, jti } = claims;
    expect(verifyDpopProof(proof, { htm, htu, now: () => iat * 1000 })).toMatchObject({ jkt, jti, alg: 'ES256' });
    report('RFC 9449', 1);
  });

  test.each([
    ['ecdsa_secp256r1_sha256_p1363', 'ES256'],
    ['ed25519', 'EdDSA'],
    ['rsa_signature_2048_sha256', 'RS256'],
  ] as const)('Wycheproof %s: %s accepts what is valid and nothing that is invalid', (file, alg) => {
    let cases = 0;
    let refusedKeys = 0;
    for (const group of groupsOf(file)) {
      const publicKey = createPublicKey(group.publicKeyPem);
      if (alg === 'RS256' && publicKey.asymmetricKeyDetails?.publicExponent === 3n) {
        expect(() => algorithmOf(publicKey)).toThrow(TypeError);
        refusedKeys += group.tests.length;
        continue;
      }
      const key = imported(publicKey.export({ format: 'jwk' }), alg);
      for (const { tcId, msg, sig, result } of group.tests) {
        const accepted = algorithms[alg].verify(Buffer.from(msg, 'hex'), key, Buffer.from(sig, 'hex'));
        if (result !== 'acceptable') expect({ tcId, accepted }).toEqual({ tcId, accepted: result === 'valid' });
        cases++;
      }
    }
    report(`Wycheproof ${file} (${refusedKeys} more under keys that are refused)`, cases);
    expect(cases).toBeGreaterThan(100);
  });

  test('Wycheproof ECDSA in DER: ES256 accepts none, for JOSE has r‖s', () => {
    let cases = 0;
    for (const group of groupsOf('ecdsa_secp256r1_sha256')) {
      const publicKey = createPublicKey(group.publicKeyPem);
      for (const { msg, sig } of group.tests) {
        expect(algorithms.ES256.verify(Buffer.from(msg, 'hex'), publicKey, Buffer.from(sig, 'hex'))).toBe(false);
        cases++;
      }
    }
    report('Wycheproof ecdsa_secp256r1_sha256 (DER)', cases);
  });

  test('Wycheproof RSA-PSS: RS256 accepts no signature of another padding, valid as it is there', () => {
    let cases = 0;
    for (const file of ['rsa_pss_2048_sha256_mgf1_32', 'rsa_pss_2048_sha384_mgf1_48', 'rsa_pss_4096_sha512_mgf1_64']) {
      for (const group of groupsOf(file)) {
        const key = imported(createPublicKey(group.publicKeyPem).export({ format: 'jwk' }), 'RS256');
        for (const { msg, sig, result } of group.tests) {
          // Among the invalid ones is a good signature with the padding of RS256.
          if (result !== 'valid') continue;
          expect(algorithms.RS256.verify(Buffer.from(msg, 'hex'), key, Buffer.from(sig, 'hex'))).toBe(false);
          cases++;
        }
      }
    }
    report('Wycheproof RSA-PSS', cases);
  });

  test('Wycheproof: keys of other curves are refused', () => {
    let cases = 0;
    for (const file of ['ecdsa_secp384r1_sha384_p1363', 'ecdsa_secp521r1_sha512_p1363', 'ed448']) {
      for (const group of groupsOf(file)) {
        const publicKey = createPublicKey(group.publicKeyPem);
        expect(() => algorithmOf(publicKey)).toThrow(TypeError);
        for (const alg of ['ES256', 'EdDSA'] as const) expect(() => imported(publicKey.export({ format: 'jwk' }), alg)).toThrow(TypeError);
        cases++;
      }
    }
    report('Wycheproof keys of P-384, P-521 and Ed448', cases);
  });

  test('RFC 7515 appendix A: the ES256 signature is right; HS256 and none are refused', () => {
    const { A1_HS256, A3_ES256, A5_none_must_reject } = read('rfc/rfc7515-examples.json');
    const { data, signature } = split(A3_ES256.jws);
    expect(algorithms.ES256.verify(data, imported(A3_ES256.jwk, 'ES256'), signature)).toBe(true);
    for (const jws of [A1_HS256.jws, A5_none_must_reject]) {
      expect(['TOKEN_MALFORMED', 'TOKEN_TYPE_REJECTED']).toContain(reasonOf(() => parseJws(jws, { typ: 'JWT', allowUntyped: true })));
    }
    // Typed by nobody, it is no kind of token.
    expect(reasonOf(() => parseJws(A3_ES256.jws, { typ: 'at+jwt' }))).toBe('TOKEN_TYPE_REJECTED');
    report('RFC 7515', 4);
  });

  test('RFC 7638 section 3.1 and RFC 8037 appendix A.3: the thumbprints', () => {
    const rsa = read('rfc/rfc7638-thumbprint.json');
    expect(thumbprint({ alg: 'RS256', publicKey: imported(rsa.jwk, 'RS256') })).toBe(rsa.thumbprint_sha256);
    const { d: _, ...ed } = read('rfc/rfc8037-ed25519.json').jwk;
    expect(thumbprint({ alg: 'EdDSA', publicKey: imported(ed, 'EdDSA') })).toBe(read('rfc/rfc8037-ed25519.json').thumbprint_sha256);
    report('RFC 7638 and RFC 8037 thumbprints', 2);
  });

  test('RFC 8037 appendix A.4: Ed25519 signs the very same bytes', () => {
    const { jwk, jws, thumbprint_sha256 } = read('rfc/rfc8037-ed25519.json');
    const key = importSigningKey(createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' }).export({ format: 'pem', type: 'pkcs8' }));
    expect(key.kid).toBe(thumbprint_sha256);
    expect(importSigningKey(exportSigningKey(key)).kid).toBe(thumbprint_sha256);
    const { data, signature } = split(jws);
    expect(algorithms.EdDSA.sign(data, key.privateKey).equals(signature)).toBe(true);
    report('RFC 8037 signature', 1);
  });

  test('RFC 9449 section 4.2: the signature of the proof is right, and a proof is no token', () => {
    const { proof } = read('rfc/rfc9449-dpop.json');
    const { jwk } = JSON.parse(Buffer.from(proof.split('.')[0], 'base64url').toString());
    const { data, signature } = split(proof);
    expect(algorithms.ES256.verify(data, imported(jwk, 'ES256'), signature)).toBe(true);
    expect(reasonOf(() => parseJws(proof, { typ: 'at+jwt' }))).toBe('TOKEN_MALFORMED');
    report('RFC 9449', 2);
  });

  test('RFC 7520: RSA and Ed25519 signatures are right; no example passes for a token', () => {
    let cases = 0;
    for (const [file, alg] of [
      ['jws/4_1.rsa_v15_signature.json', 'RS256'],
      ['curve25519/jws.json', 'EdDSA'],
    ] as const) {
      const { input, output } = read(`rfc7520/${file}`);
      const { data, signature } = split(output.compact);
      const publicKey = createPublicKey({ key: input.key, format: 'jwk' });
      expect(algorithms[alg].verify(data, imported(publicKey.export({ format: 'jwk' }), alg), signature)).toBe(true);
      // A private key in place of a public one is refused.
      expect(() => imported(input.key, alg)).toThrow('private members');
      cases += 2;
    }
    for (const file of readdirSync(join(folder, 'rfc7520/jws'))) {
      const { compact } = read(`rfc7520/jws/${file}`).output;
      if (compact === undefined) continue;
      expect(['TOKEN_MALFORMED', 'TOKEN_TYPE_REJECTED']).toContain(reasonOf(() => parseJws(compact, { typ: 'JWT', allowUntyped: true })));
      cases++;
    }
    for (const name of ['3_2.ec_private_key', '3_4.rsa_private_key', '3_5.symmetric_key_mac_computation', '3_6.symmetric_key_encryption']) {
      const jwk = read(`rfc7520/jwk/${name}.json`);
      expect(() => importJwks([{ alg: 'RS256', ...jwk, kid: 'k' }])).toThrow(TypeError);
      expect(() => importJwks([{ ...jwk, alg: 'ES256', kid: 'k' }])).toThrow(TypeError);
      cases += 2;
    }
    report('RFC 7520', cases);
  });

  test('RFC 7520 section 3: the public RSA key is imported, and the one of P-521 is refused', () => {
    const [rsa, ec] = [read('rfc7520/jwk/3_3.rsa_public_key.json'), read('rfc7520/jwk/3_1.ec_public_key.json')];
    expect(imported(rsa, 'RS256').asymmetricKeyDetails).toMatchObject({ modulusLength: 2048 });
    expect(() => imported(ec, 'ES256')).toThrow(TypeError);
    report('RFC 7520 public keys', 2);
  });

  // last: it looks at what the others have read
  test('every file was read, or is none of ours for a reason', () => {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
    expect(files.filter((name) => !filesRead.has(name)).sort()).toEqual(Object.keys(notOurs).sort());
    for (const [name, why] of Object.entries(notOurs)) console.log(`vectors: ${name}: not used: ${why}`);
    console.log(`vectors: ${total} cases of ${filesRead.size} files`);
    expect(total).toBeGreaterThan(1_500);
  });
});
