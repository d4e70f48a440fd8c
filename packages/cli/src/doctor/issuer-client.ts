import { type ChannelCredentials, type Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { refusalOf, unary, type WorkloadCredential } from '@tokenmesh/interceptor';
import { type Jwk, tokenmesh } from '@tokenmesh/proto';
import type { FeedRecord } from '@tokenmesh/revocation';
import { grpcRecord } from '@tokenmesh/revocation/grpc';
import { askHealth, HealthClient } from '../ask-health.ts';

/** PEM. */
export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Where token-exchange is, and as whom it is asked. */
export interface IssuerOptions {
  /** `host:port`. */
  readonly address: string;
  readonly tls: TlsMaterial;
  /** `iss` of its tokens. */
  readonly issuer: string;
  /** Its own identity as an audience. */
  readonly audience: string;
  /** Absent: only what token-exchange says to everybody is looked at. */
  readonly workload?: { readonly self: string; readonly credential: WorkloadCredential };
}

/** One verifier as it reported last. */
export interface Verifier {
  readonly client_id: string;
  readonly instance: string;
  readonly reported_at_ms: number;
  readonly fresh_at_ms: number;
}

/** A signing key as token-exchange sees it, without its private half. */
export interface SigningKey {
  readonly kid: string;
  /** `token` or `feed`. */
  readonly purpose: string;
  /** `prepared`, `published`, `active`, `retiring` or `withdrawn`. */
  readonly state: string;
  /** When the successor of an active one is due; 0 for others. */
  readonly rotation_due_ms: number;
  /** The live verifiers that hold up its activation. */
  readonly awaited: readonly string[];
}

/** token-exchange, asked once for each thing. All reject with a sentence that holds no token. */
export interface IssuerClient {
  /** `SERVING` when it is ready. */
  health(): Promise<string>;
  jwks(): Promise<readonly Jwk[]>;
  /** The record, with the token of the workload. */
  record(): Promise<FeedRecord>;
  /** What only operators are told, with the token of the workload, who needs `admin.read`. */
  inventory(): Promise<{ readonly verifiers: readonly Verifier[]; readonly signingKeys: readonly SigningKey[] }>;
  close(): void;
}

const limitMs = 5_000;
const maxReconnectMs = 500;

/** Does not wait for anything. */
export function createIssuerClient({ address, tls, issuer, audience, workload }: IssuerOptions): IssuerClient {
  const { ca = null, key = null, cert = null } = tls;
  const channel = credentials.createSsl(ca, key, cert);
  const clientOptions = { 'grpc.enable_http_proxy': 0, 'grpc.max_reconnect_backoff_ms': maxReconnectMs };
  const exchange = new tokenmesh.TokenExchange(address, channel, clientOptions);
  const clients: Client[] = [exchange];
  const opened = <C extends Client>(client: C): C => {
    clients.push(client);
    return client;
  };
  const deadline = () => ({ deadline: Date.now() + limitMs });

  async function bearer(scope: string): Promise<ChannelCredentials> {
    if (workload === undefined) throw new Error('without --self and a credential it tells nothing but its health and its keys');
    const authentication = await workload.credential.authenticate(workload.self, issuer);
    const request = { grant_type: 'client_credentials', audience, scope, ...authentication };
    const { access_token } = await unary(exchange, 'exchangeToken', request, deadline());
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${access_token}`);
    return credentials.combineChannelCredentials(
      channel,
      credentials.createFromMetadataGenerator((_, callback) => callback(null, metadata)),
    );
  }

  return {
    health: () => telling(() => askHealth(opened(new HealthClient(address, channel, clientOptions)), limitMs)),
    jwks: () => telling(async () => (await unary(exchange, 'getJwks', {}, deadline())).keys),
    record: () =>
      telling(async () => grpcRecord(opened(new tokenmesh.RevocationFeed(address, await bearer('revocation.read'), clientOptions)))),
    inventory: () =>
      telling(async () => {
        const admin = opened(new tokenmesh.Admin(address, await bearer('admin.read'), clientOptions));
        const { verifiers } = await unary(admin, 'listVerifiers', {}, deadline());
        const { keys } = await unary(admin, 'listKeys', {}, deadline());
        return { verifiers, signingKeys: keys };
      }),
    close() {
      for (const client of clients) client.close();
    },
  };
}

/** What a failed call comes to, in words: the mesh's own reason before gRPC's. */
async function telling<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const reason = refusalOf(error)?.reason;
    throw new Error(reason === undefined ? error.details : `${reason}: ${error.details}`, { cause: error });
  }
}

const isServiceError = (error: unknown): error is ServiceError => error instanceof Error && 'details' in error && 'code' in error;
