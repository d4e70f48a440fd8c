import { readFileSync } from 'node:fs';
import { credentials, Metadata } from '@grpc/grpc-js';
import { privateKeyJwt, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { spiffeId, trustDomain } from './configuration.ts';
import type { Shop } from './launch.ts';
import { address } from './services.ts';

/** A token outside of the library that would renew or drop it: what a thief has, and what it takes to see a verifier refuse. */
export interface CopiedToken {
  /** Seconds since epoch. */
  readonly exp: number;
  /** Metadata that presents it, for a client without the mesh's interceptors. */
  present(): Metadata;
}

/**
 * Asks token-exchange for a workload's own token for one audience, with nothing but the workload's files.
 *
 * @throws {ServiceError} It was refused; `refusalOf` tells why.
 */
export async function copyToken(shop: Shop, name: string, audience: string): Promise<CopiedToken> {
  const files = shop.workloads.get(name);
  if (!files) throw new TypeError(`there is no workload ${name}`);
  const tls = credentials.createSsl(readFileSync(shop.caFile), readFileSync(files.tlsKeyFile), readFileSync(files.certFile));
  const tokenExchange = new tokenmesh.TokenExchange(address(shop.tokenExchange), tls);
  try {
    const authentication = await privateKeyJwt(files.keyFile).authenticate(files.id, `https://token-exchange.${trustDomain}`);
    const request = { ...authentication, grant_type: 'client_credentials', audience: spiffeId(audience) };
    const { access_token: token } = await unary(tokenExchange, 'exchangeToken', request);
    // The cast holds: every service token has exp (RFC 9068 section 2.2).
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp: number };
    return { exp, present: () => bearer(token) };
  } finally {
    tokenExchange.close();
  }
}

function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}
