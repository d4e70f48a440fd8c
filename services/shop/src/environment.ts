import { readFileSync } from 'node:fs';
import { type Certificate, type MeshOptions, privateKeyJwt } from '@tokenmesh/interceptor';

/**
 * What `createMesh` needs, from environment variables:
 *
 * | variable | holds |
 * |---|---|
 * | `TOKENMESH_SELF` | this workload's SPIFFE ID |
 * | `TOKENMESH_TOKEN_EXCHANGE` | `host:port` of token-exchange; several replicas with commas between them |
 * | `TOKENMESH_KEY_FILE` | the private key that token-exchange knows this workload by, PKCS#8 PEM |
 * | `TOKENMESH_CA_FILE` | the certificate authority of the mesh, PEM |
 * | `TOKENMESH_TLS_CERT_FILE`, `TOKENMESH_TLS_KEY_FILE` | this workload's certificate and its key, PEM |
 * | `NATS_URL` | the courier of revocations, several servers with commas between them; without it they come from token-exchange itself |
 * | `TOKENMESH_NATS_NKEY_FILE` | the seed of this workload's nkey there; with it the connection is mutual TLS with the certificate above |
 *
 * @throws {TypeError} One is missing; the message names it.
 */
export function meshOptions(env: NodeJS.ProcessEnv): MeshOptions {
  const ca = readFileSync(setting(env, 'TOKENMESH_CA_FILE'));
  const cert = readFileSync(setting(env, 'TOKENMESH_TLS_CERT_FILE'));
  const key = readFileSync(setting(env, 'TOKENMESH_TLS_KEY_FILE'));
  return {
    self: setting(env, 'TOKENMESH_SELF'),
    tokenExchange: setting(env, 'TOKENMESH_TOKEN_EXCHANGE'),
    credential: privateKeyJwt(setting(env, 'TOKENMESH_KEY_FILE')),
    ca,
    certificate: { cert, key },
    ...(env.NATS_URL && { nats: { servers: env.NATS_URL.split(','), ...natsUser(env, { ca, cert, key }) } }),
  };
}

function natsUser(env: NodeJS.ProcessEnv, { ca, cert, key }: Certificate & { readonly ca: Buffer }) {
  if (!env.TOKENMESH_NATS_NKEY_FILE) return {};
  const nkeySeed = readFileSync(env.TOKENMESH_NATS_NKEY_FILE, 'utf8').trim();
  return { nkeySeed, tls: { ca: String(ca), cert: String(cert), key: String(key) } };
}

/** The value of an environment variable that must be there. */
export function setting(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (!value) throw new TypeError(`${name} is not set`);
  return value;
}
