// For tests: what a workload calls token-exchange itself with.
import { Metadata } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import type { tokenmesh } from '@tokenmesh/proto';
import { authenticate, own } from './testing.ts';

/** Options of a call with a new bearer token of this workload for token-exchange. Empty `scope`: all that it is granted. */
export async function bearerOf(
  exchange: InstanceType<typeof tokenmesh.TokenExchange>,
  clientId: string,
  scope = '',
): Promise<{ readonly metadata: Metadata }> {
  const request = { ...authenticate(clientId, Date.now), grant_type: 'client_credentials', audience: own, scope };
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${(await unary(exchange, 'exchangeToken', request)).access_token}`);
  return { metadata };
}
