import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateAuthority } from './certificates.ts';

/** Paths of what one workload is given: a certificate for TLS, and a second key pair by which token-exchange knows it. */
export interface WorkloadFiles {
  readonly id: string;
  readonly certFile: string;
  readonly tlsKeyFile: string;
  /** Signs client assertions; PKCS#8 PEM. */
  readonly keyFile: string;
  /** The public half, a JWK Set, which token-exchange is given. */
  readonly jwksFile: string;
}

/** Makes both key pairs of a workload and writes them to a directory of its own, private keys readable by their owner alone. */
export async function writeWorkloadFiles(directory: string, id: string, authority: CertificateAuthority): Promise<WorkloadFiles> {
  const at = (file: string) => join(directory, file);
  const files = { id, certFile: at('tls.crt'), tlsKeyFile: at('tls.key'), keyFile: at('assertion.key'), jwksFile: at('jwks.json') };
  const { cert, key } = await authority.issue(id);
  const { privateKey, jwks } = makeAssertionKey();
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await Promise.all([
    writeFile(files.certFile, cert),
    writeFile(files.tlsKeyFile, key, { mode: 0o600 }),
    writeFile(files.keyFile, privateKey, { mode: 0o600 }),
    writeFile(files.jwksFile, jwks),
  ]);
  return files;
}

/** A new key for client assertions: the private half as PKCS#8 PEM, the public one as a JWK Set. */
export function makeAssertionKey(): { readonly privateKey: string; readonly jwks: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { privateKey, jwks: JSON.stringify({ keys: [publicJwk(publicKey)] }, undefined, 2) };
}

/** The JWK of a P-256 public key, named by its thumbprint (RFC 7638), as the signer of client assertions names it. */
function publicJwk(pem: string): Readonly<Record<string, unknown>> {
  const { crv, kty, x, y } = createPublicKey(pem).export({ format: 'jwk' });
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return { kid, alg: 'ES256', use: 'sig', kty, crv, x, y };
}
