import { readFileSync } from 'node:fs';
import { type MeshOptions, privateKeyJwt } from '@tokenmesh/interceptor';

/**
 * What `createMesh` needs, from environment variables:
 *
 * | variable | holds |
 * |---|---|
 * | `TOKENMESH_SELF` | this workload's SPIFFE ID |
 * | `TOKENMESH_TOKEN_EXCHANGE` | `host:port` of token-exchange |
 * | `TOKENMESH_KEY_FILE` | the private key that token-exchange knows this workload by, PKCS#8 PEM |
 * | `TOKENMESH_CA_FILE` | the certificate authority of the mesh, PEM |
 * | `TOKENMESH_TLS_CERT_FILE`, `TOKENMESH_TLS_KEY_FILE` | this workload's certificate and its key, PEM |
 * | `NATS_URL` | the courier of revocations; without it they come from token-exchange itself |
 *
 * @throws {TypeError} One is missing; the message names it.
 */
export function meshOptions(env: NodeJS.ProcessEnv): MeshOptions {
  return {
    self: setting(env, 'TOKENMESH_SELF'),
    tokenExchange: setting(env, 'TOKENMESH_TOKEN_EXCHANGE'),
    credential: privateKeyJwt(setting(env, 'TOKENMESH_KEY_FILE')),
    ca: readFileSync(setting(env, 'TOKENMESH_CA_FILE')),
    certificate: {
      cert: readFileSync(setting(env, 'TOKENMESH_TLS_CERT_FILE')),
      key: readFileSync(setting(env, 'TOKENMESH_TLS_KEY_FILE')),
    },
    ...(env.NATS_URL ? { nats: { servers: env.NATS_URL } } : {}),
  };
}

/** The value of an environment variable that must be there. */
export function setting(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (!value) throw new TypeError(`${name} is not set`);
  return value;
}
