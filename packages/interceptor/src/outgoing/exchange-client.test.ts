import { randomUUID } from 'node:crypto';
import { credentials, type Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { type ExchangeTokenRequest, tokenmesh } from '@tokenmesh/proto';
import { generateSigningKey, TokenError } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { targetOf } from '../mesh/address-list.ts';
import { refusalStatus, toStatus } from '../status.ts';
import { createDpopSigner } from './dpop-signer.ts';
import { createExchangeClient, type ExchangeClient } from './exchange-client.ts';
import type { ProofAudience } from './proof-interceptor.ts';

const self = 'spiffe://shop.test/orders';
const audience = 'spiffe://shop.test/payments';
const lost = { code: status.UNAVAILABLE, details: 'the connection was lost' };

interface Replica {
  readonly address: string;
  readonly requests: ExchangeTokenRequest[];
  /** DPoP proofs that came with them. */
  readonly proofs: string[];
  /** What its next answers are; none left: a token. */
  readonly failures: Partial<ServiceError>[];
  close(): void;
}

async function startReplica(): Promise<Replica> {
  const [requests, proofs, failures]: [ExchangeTokenRequest[], string[], Partial<ServiceError>[]] = [[], [], []];
  const server = new Server();
  server.addService(
    { ExchangeToken: tokenmesh.TokenExchange.service.ExchangeToken },
    {
      ExchangeToken(
        call: { request: ExchangeTokenRequest; metadata: Metadata },
        callback: (error: Partial<ServiceError> | null, answer?: object) => void,
      ) {
        requests.push(call.request);
        proofs.push(...call.metadata.get('dpop').map(String));
        const failure = failures.shift();
        callback(failure ?? null, failure ? undefined : { access_token: 'token', token_type: 'Bearer', expires_in: 300 });
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { address: `127.0.0.1:${port}`, requests, proofs, failures, close: () => server.forceShutdown() };
}

let replicas: Replica[];
let clients: ExchangeClient[];
beforeEach(async () => {
  clients = [];
  replicas = [await startReplica(), await startReplica(), await startReplica()];
});
afterEach(() => {
  for (const client of clients) client.close();
  for (const replica of replicas) replica.close();
});

function connect(addresses: readonly string[], proofs?: ProofAudience): ExchangeClient {
  const { target, channelOptions } = targetOf(addresses);
  let assertions = 0;
  const client = createExchangeClient({
    address: target,
    channelCredentials: credentials.createInsecure(),
    clientOptions: channelOptions,
    self,
    issuer: 'https://token-exchange.shop.test',
    credential: { authenticate: async (client_id) => ({ client_id, client_assertion: `assertion ${++assertions}` }) },
    proofs,
    timeoutMs: 10_000,
    now: Date.now,
  });
  clients.push(client);
  return client;
}

const first = (): Replica => replicas[0] ?? expect.unreachable('three replicas');
const asked = () => replicas.flatMap(({ requests }) => requests.map(({ client_assertion }) => client_assertion));

describe('createExchangeClient', () => {
  it('asks again with a new assertion when the connection is lost', async () => {
    first().failures.push(lost, lost);
    expect(await connect([first().address]).exchange({ audience })).toMatchObject({ accessToken: 'token' });
    expect(asked()).toEqual(['assertion 1', 'assertion 2', 'assertion 3']);
  });

  it('gives up after three attempts', async () => {
    first().failures.push(lost, lost, lost);
    await expect(connect([first().address]).exchange({ audience })).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(asked()).toHaveLength(3);
  });

  it.each(['KEYS_UNAVAILABLE', 'SCOPE_REFUSED'] as const)('takes %s for the answer that it is', async (reason) => {
    first().failures.push(toStatus(new TokenError(reason, 'as the test says')));
    await expect(connect([first().address]).exchange({ audience })).rejects.toBeInstanceOf(Error);
    expect(asked()).toHaveLength(1);
  });

  it('takes turns between several addresses', async () => {
    const client = connect(replicas.map(({ address }) => address));
    while (replicas.some(({ requests }) => requests.length < 2)) await client.exchange({ audience });
    const least = Math.min(...replicas.map(({ requests }) => requests.length));
    for (let call = 0; call < 30; call++) await client.exchange({ audience });
    for (const { requests } of replicas) expect(requests.length).toBeGreaterThanOrEqual(least + 10);
  });

  it('goes on with the others while some are away', async () => {
    const addresses = replicas.map(({ address }) => address);
    const client = connect(['127.0.0.1:1', ...addresses]);
    first().close();
    for (let call = 0; call < 10; call++) await client.exchange({ audience });
    expect(asked()).toHaveLength(10);
  });
});

describe('a client whose tokens are bound to a key', () => {
  const key = generateSigningKey();
  const proofs = (): ProofAudience => ({
    signer: createDpopSigner({ key, now: Date.now, newId: randomUUID }),
    audience: 'spiffe://shop.test/token-exchange',
    authority: 'token-exchange.shop.test',
  });
  const claimsOf = (proof: string | undefined) => JSON.parse(Buffer.from(proof?.split('.')[1] ?? '', 'base64url').toString());
  const nonceWanted = (nonce: string) => {
    const refusal = refusalStatus('PROOF_NONCE_REQUIRED');
    refusal.metadata.set('dpop-nonce', nonce);
    return refusal;
  };

  it('proves it with each attempt anew, for the method that it calls', async () => {
    first().failures.push(lost);
    await connect([first().address], proofs()).exchange({ audience });
    const htu = 'https://token-exchange.shop.test/tokenmesh.v1.TokenExchange/ExchangeToken';
    expect(first().proofs.map(claimsOf)).toEqual([
      expect.objectContaining({ htm: 'POST', htu }),
      expect.objectContaining({ htm: 'POST', htu }),
    ]);
    expect(new Set(first().proofs.map((proof) => claimsOf(proof).jti)).size).toBe(2);
  });

  it('asks again with the nonce that it is given and a new assertion, and keeps the nonce', async () => {
    first().failures.push(nonceWanted('n-1'));
    const client = connect([first().address], proofs());
    await client.exchange({ audience });
    await client.exchange({ audience });
    expect(first().proofs.map((proof) => claimsOf(proof).nonce)).toEqual([undefined, 'n-1', 'n-1']);
    expect(asked()).toEqual(['assertion 1', 'assertion 2', 'assertion 3']);
  });

  it('asks once more for a nonce, and not again', async () => {
    first().failures.push(nonceWanted('n-1'), nonceWanted('n-2'));
    await expect(connect([first().address], proofs()).exchange({ audience })).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    expect(asked()).toHaveLength(2);
  });

  it('sends no proof without a key, and asks no second time for a nonce that it could not use', async () => {
    first().failures.push(nonceWanted('n-1'));
    await expect(connect([first().address]).exchange({ audience })).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    expect(first().proofs).toEqual([]);
    expect(asked()).toHaveLength(1);
  });
});
