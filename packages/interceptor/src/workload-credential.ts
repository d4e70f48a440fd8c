import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { importSigningKey, type SigningKey, signClientAssertion } from '@tokenmesh/token';

/** Request parameters by which a client authenticates (RFC 6749 section 2.3, RFC 7521 section 4.2). */
export interface ClientAuthentication {
  readonly client_id: string;
  readonly client_assertion_type?: string;
  readonly client_assertion?: string;
}

/** How a workload proves to token-exchange who it is. */
export interface WorkloadCredential {
  /**
   * Produces the parameters for one request; called anew for each, so that what they hold may be single-use and keys may be replaced.
   *
   * @param clientId The workload's identity.
   * @param issuer The issuer that is going to read them.
   */
  authenticate(clientId: string, issuer: string): Promise<ClientAuthentication>;
}

/**
 * `private_key_jwt` (RFC 7523 section 2.2): a signed assertion, valid for 30 s and for one request.
 *
 * @param key Path of a PKCS#8 PEM file, which is read again for every assertion so that it can be replaced, or a key.
 */
export function privateKeyJwt(
  key: string | SigningKey,
  options: { readonly now?: () => number; readonly newId?: () => string } = {},
): WorkloadCredential {
  const { now = Date.now, newId = randomUUID } = options;
  return {
    async authenticate(clientId, issuer) {
      const signingKey = typeof key === 'string' ? importSigningKey(await readFile(key)) : key;
      return {
        client_id: clientId,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: signClientAssertion({ clientId, audience: issuer, key: signingKey, now, newId }),
      };
    },
  };
}
