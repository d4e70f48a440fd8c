import { readFile } from 'node:fs/promises';
import { createTimeOrderedIds, importSigningKey, type SigningKey, signClientAssertion } from '@tokenmesh/token';

const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

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
 * @param options.newId Makes the `jti` of an assertion. Default `createTimeOrderedIds`: token-exchange keeps each of them until it is over, and those that
 *   sort by time lie beside one another there.
 */
export function privateKeyJwt(
  key: string | SigningKey,
  options: { readonly now?: () => number; readonly newId?: () => string } = {},
): WorkloadCredential {
  const { now = Date.now, newId = createTimeOrderedIds(now) } = options;
  return {
    async authenticate(clientId, issuer) {
      const signingKey = typeof key === 'string' ? importSigningKey(await readFile(key)) : key;
      return {
        client_id: clientId,
        client_assertion_type: jwtBearer,
        client_assertion: signClientAssertion({ clientId, audience: issuer, key: signingKey, now, newId }),
      };
    },
  };
}

/**
 * The JWT by which a Kubernetes cluster tells who a pod is: a projected service-account token whose `audience` is the one that token-exchange's `federation`
 * expects (default volumes are for the API server's audience and are refused).
 *
 * @param file Where the volume is mounted; read again for every request, for the kubelet replaces the token.
 */
export function kubernetesToken(file: string): WorkloadCredential {
  return federatedJwt(file);
}

/**
 * A SPIFFE JWT-SVID that an agent keeps in a file (spiffe-helper does), for the audience that token-exchange's `federation` expects.
 *
 * @param file Read again for every request, for the agent replaces it.
 */
export function jwtSvid(file: string): WorkloadCredential {
  return federatedJwt(file);
}

/**
 * `tls_client_auth` (RFC 8705 section 2.1): the certificate that the mesh's connections are made with (`certificate` of `createMesh`), whose only URI is the
 * workload's identity. What is issued is bound to it, unless the grant says otherwise: present the same certificate to whom you call.
 */
export function clientCertificate(): WorkloadCredential {
  return { authenticate: async (clientId) => ({ client_id: clientId }) };
}

function federatedJwt(file: string): WorkloadCredential {
  return {
    async authenticate(clientId) {
      const jwt = (await readFile(file, 'utf8')).trim();
      // a file that is being written: better no request than one that cannot succeed
      if (jwt === '') throw new Error(`${file} holds no token`);
      return { client_id: clientId, client_assertion_type: jwtBearer, client_assertion: jwt };
    },
  };
}
