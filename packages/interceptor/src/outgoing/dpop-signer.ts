import { readFileSync } from 'node:fs';
import { generateSigningKey, importSigningKey, type SigningKey, signDpopProof } from '@tokenmesh/token';

/** Proofs that this workload holds the key that its tokens are bound to. */
export interface DpopSigner {
  /**
   * A proof for one attempt of one call, with the nonce that its audience gave last.
   *
   * @param call.audience Identity of the called service.
   * @param call.authority Its host, and port where that is not 443.
   * @param call.method Full method name.
   * @param call.accessToken What goes along; absent when a token is asked for.
   */
  sign(call: { readonly audience: string; readonly authority: string; readonly method: string; readonly accessToken?: string }): string;
  /** Keeps the nonce that an audience wants in proofs from now on. What is no nonce is left alone. */
  rememberNonce(audience: string, nonce: string): void;
}

// RFC 9449 section 8.1: NQCHAR; the length is ours
const nonceGrammar = /^[!#-[\]-~]{1,256}$/;

export function createDpopSigner(options: {
  readonly key: SigningKey;
  readonly now: () => number;
  readonly newId: () => string;
}): DpopSigner {
  const nonces = new Map<string, string>(); // as many as there are audiences
  return {
    sign({ audience, authority, method, accessToken }) {
      return signDpopProof({ ...options, htm: 'POST', htu: `https://${authority}${method}`, accessToken, nonce: nonces.get(audience) });
    },
    rememberNonce(audience, nonce) {
      if (nonceGrammar.test(nonce)) nonces.set(audience, nonce);
    },
  };
}

/**
 * The key that tokens get bound to.
 *
 * @param choice `true`: a new one, which only this process has; the path of a PKCS#8 PEM file; or a key.
 * @throws {TypeError} When the file holds no key. `Error` of the file system when it cannot be read.
 */
export function dpopKey(choice: true | string | SigningKey): SigningKey {
  if (choice === true) return generateSigningKey();
  return typeof choice === 'string' ? importSigningKey(readFileSync(choice)) : choice;
}
