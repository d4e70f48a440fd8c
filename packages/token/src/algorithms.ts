import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';

/** A signature algorithm of RFC 7518 or RFC 8037. No symmetric one exists here, so no public key can ever serve as a secret. */
export type Algorithm = 'ES256' | 'EdDSA' | 'RS256';

interface AlgorithmRow {
  /** The members that a thumbprint is made of, in the order of RFC 7638 section 3.2: all that a public key consists of. */
  readonly thumbprintMembers: readonly ('crv' | 'e' | 'kty' | 'n' | 'x' | 'y')[];
  generate(): { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  sign(data: Buffer, privateKey: KeyObject): Buffer;
  verify(data: Buffer, publicKey: KeyObject, signature: Buffer): boolean;
}

/**
 * Everything that differs between algorithms. Keys are passed to node:crypto as they are, never within an options object, which costs
 * half of a signature again; ECDSA signatures are therefore converted between DER and the r‖s of JOSE here.
 */
export const algorithms: { readonly [A in Algorithm]: AlgorithmRow } = {
  ES256: {
    thumbprintMembers: ['crv', 'kty', 'x', 'y'],
    generate: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    sign: (data, privateKey) => rawFromDer(sign('sha256', data, privateKey)),
    verify: (data, publicKey, signature) => isRawEcdsa(signature) && verify('sha256', data, publicKey, derFromRaw(signature)),
  },
  EdDSA: {
    thumbprintMembers: ['crv', 'kty', 'x'],
    generate: () => generateKeyPairSync('ed25519'),
    sign: (data, privateKey) => sign(null, data, privateKey),
    verify: (data, publicKey, signature) => verify(null, data, publicKey, signature),
  },
  RS256: {
    thumbprintMembers: ['e', 'kty', 'n'],
    generate: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    sign: (data, privateKey) => sign('sha256', data, privateKey),
    verify: (data, publicKey, signature) => verify('sha256', data, publicKey, signature),
  },
};

/** The names of {@link algorithms}, the default first: what a metadata document lists as supported. */
export const algorithmNames: readonly Algorithm[] = ['ES256', 'EdDSA', 'RS256'];

/** Whether a value names an algorithm of ours: exactly as spelled, never one of Object's own members. */
export function isAlgorithm(value: unknown): value is Algorithm {
  return value === 'ES256' || value === 'EdDSA' || value === 'RS256';
}

const known = new WeakMap<KeyObject, Algorithm>();

/**
 * The one algorithm that a key can be used with, told by the parsed key itself and by nothing that came with it as text. Remembered for
 * each key object.
 *
 * Accepted: P-256, Ed25519, and RSA of 2048 to 8192 bits with a public exponent of at least 65537 (NIST SP 800-56B; more bits would make
 * a verification a burden). Ed25519 points of small order, under which one signature fits many messages, are refused by OpenSSL at each
 * verification.
 *
 * @throws {TypeError} The key is symmetric, of another kind, or too weak.
 */
export function algorithmOf(key: KeyObject): Algorithm {
  let algorithm = known.get(key);
  if (algorithm === undefined) {
    algorithm = judge(key);
    known.set(key, algorithm);
  }
  return algorithm;
}

function judge(key: KeyObject): Algorithm {
  const details = key.asymmetricKeyDetails;
  switch (key.asymmetricKeyType) {
    case 'ec':
      if (details?.namedCurve !== 'prime256v1') throw new TypeError('an elliptic curve key must be on P-256');
      return 'ES256';
    case 'ed25519':
      return 'EdDSA';
    case 'rsa':
      if (!(Number(details?.modulusLength) >= 2048 && Number(details?.modulusLength) <= 8192)) {
        throw new TypeError('an RSA key must have 2048 to 8192 bits');
      }
      if (!(Number(details?.publicExponent) >= 65537)) throw new TypeError('the public exponent of an RSA key must be at least 65537');
      return 'RS256';
    default:
      throw new TypeError('a key must be P-256, Ed25519 or RSA');
  }
}

const zero = Buffer.alloc(32);
/** n of P-256 (SEC 2, secp256r1). */
const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');

/** r‖s of RFC 7518 section 3.4: 64 bytes, both integers within 1…n−1 (0 for both is the signature that fits everything, CVE-2022-21449). */
function isRawEcdsa(signature: Buffer): boolean {
  return signature.length === 64 && isScalar(signature, 0) && isScalar(signature, 32);
}

function isScalar(signature: Buffer, start: number): boolean {
  return signature.compare(zero, 0, 32, start, start + 32) > 0 && signature.compare(order, 0, 32, start, start + 32) < 0;
}

/** `SEQUENCE { INTEGER r, INTEGER s }`, shortest form. Both integers are known to be above zero, so a byte that is not zero ends each search. */
function derFromRaw(raw: Buffer): Buffer {
  let r = 0;
  while (raw[r] === 0) r++;
  let s = 32;
  while (raw[s] === 0) s++;
  const rPadding = raw.readUInt8(r) >> 7;
  const sPadding = raw.readUInt8(s) >> 7;
  const rLength = rPadding + 32 - r;
  const sLength = sPadding + 64 - s;
  const der = Buffer.alloc(6 + rLength + sLength);
  der[0] = 0x30;
  der[1] = 4 + rLength + sLength;
  der[2] = 0x02;
  der[3] = rLength;
  raw.copy(der, 4 + rPadding, r, 32);
  der[4 + rLength] = 0x02;
  der[5 + rLength] = sLength;
  raw.copy(der, 6 + rLength + sPadding, s, 64);
  return der;
}

/** The inverse, for what OpenSSL just made: two integers of at most 33 bytes. */
function rawFromDer(der: Buffer): Buffer {
  const raw = Buffer.alloc(64);
  const rEnd = 4 + der.readUInt8(3);
  copyInteger(der, 4, rEnd, raw, 32);
  copyInteger(der, rEnd + 2, der.length, raw, 64);
  return raw;
}

function copyInteger(der: Buffer, start: number, end: number, raw: Buffer, rawEnd: number): void {
  // A 33rd byte is the zero that keeps the integer positive.
  const length = Math.min(end - start, 32);
  der.copy(raw, rawEnd - length, end - length, end);
}
