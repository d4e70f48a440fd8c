// What the tests of this room share: claims that pass, tokens made of any bytes, and the reason of a refusal.
import { algorithms } from './algorithms.ts';
import type { ServiceTokenClaims } from './claims.ts';
import { createLocalKeySet, exportJwk, generateSigningKey, type SigningKey } from './keys.ts';
import type { Reason } from './reasons.ts';
import type { VerifyServiceTokenOptions } from './service-token.ts';
import { TokenError } from './token-error.ts';

export const issuedAt = 1_790_000_000;
export const key: SigningKey = generateSigningKey('ES256');

/** Claims that pass, changed as the test wants them: also to what the types forbid, or to nothing with `undefined`. */
export function claimsWith(changes: { readonly [name: string]: unknown } = {}): ServiceTokenClaims {
  const claims = {
    iss: 'https://token-exchange.shop.test',
    sub: 'spiffe://shop.test/orders',
    aud: 'spiffe://shop.test/payments',
    exp: issuedAt + 300,
    iat: issuedAt,
    jti: 'q83vEjRWeJCrze8SNFZ4kA',
    client_id: 'spiffe://shop.test/orders',
    scope: 'payments.charge payments.read',
    txn: 'EjRWeJCrze8SNFZ4kKvN7w',
    rn: 7,
    ...changes,
  };
  // True only of a test that changed nothing to a wrong type, which is what most tests here do on purpose.
  return claims as ServiceTokenClaims;
}

/** A verifier that accepts `claimsWith()`, a second after it was issued. */
export const verifier: VerifyServiceTokenOptions = {
  issuer: 'https://token-exchange.shop.test',
  audience: 'spiffe://shop.test/payments',
  keys: createLocalKeySet([exportJwk(key)]),
  now: () => (issuedAt + 1) * 1000,
};

export function base64url(bytes: string | Buffer): string {
  return Buffer.from(bytes).toString('base64url');
}

/** A JWS of exactly these bytes (an object is written as JSON) with a signature that is right. */
export function signAnything(header: object | string, payload: object | string | Buffer, signer: SigningKey = key): string {
  const signingInput = `${base64url(asBytes(header))}.${base64url(asBytes(payload))}`;
  return `${signingInput}.${base64url(algorithms[signer.alg].sign(Buffer.from(signingInput), signer.privateKey))}`;
}

/** The header that a service token of `key` has, changed. */
export function headerWith(changes: { readonly [name: string]: unknown } = {}): object {
  return { alg: key.alg, kid: key.kid, typ: 'at+jwt', ...changes };
}

function asBytes(content: object | string | Buffer): string | Buffer {
  return typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content);
}

/** The reason with which something is refused; fails when it is not, or with another kind of error. */
export function reasonOf(act: () => unknown): Reason {
  try {
    act();
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    throw error;
  }
  throw new Error('expected a refusal');
}

/** The same numbers in 0…limit−1 at each run (mulberry32). */
export function seededRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}
