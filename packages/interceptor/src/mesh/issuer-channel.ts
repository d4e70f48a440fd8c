import type { ClientOptions } from '@grpc/grpc-js';
import { tokenmesh } from '@tokenmesh/proto';
import type { FeedRecord, FeedTransport } from '@tokenmesh/revocation';
import { type GrpcTransport, grpcRecord, grpcTransport } from '@tokenmesh/revocation/grpc';
import type { NatsOptions } from '@tokenmesh/revocation/nats';
import { bearerInterceptor, noteStreamChannel } from '../outgoing/client-interceptor.ts';
import type { DpopSigner } from '../outgoing/dpop-signer.ts';
import { createExchangeClient, type ExchangeClient } from '../outgoing/exchange-client.ts';
import { createStreamRenewals } from '../outgoing/stream-renewals.ts';
import type { TokenSource } from '../outgoing/token-source.ts';
import type { WorkloadCredential } from '../outgoing/workload-credential.ts';
import type { TracingOptions } from '../tracing.ts';
import { targetOf } from './address-list.ts';
import type { MeshTls } from './mesh-tls.ts';

/** One issuer as a workload reaches it: its answers, and the paths on which its revocations come. Nothing is kept here. */
export interface IssuerChannel {
  readonly exchangeClient: ExchangeClient;
  readonly record: FeedRecord;
  readonly courier?: FeedTransport | undefined;
  /** The path from token-exchange itself, on which this verifier also reports. */
  readonly fallback: GrpcTransport;
  close(): void;
}

/** What an issuer is called, and who asks. */
export interface IssuerNames {
  /** This workload's identity there. */
  readonly self: string;
  readonly trustDomain: string;
  readonly issuer: string;
  /** token-exchange's own identity as an audience. */
  readonly tokenExchangeAudience: string;
  /** Host of token-exchange, and its port where that is not 443, in proofs. */
  readonly authority: string;
}

/**
 * Opens the way to an issuer, without waiting for it.
 *
 * @param source Tokens of this issuer, for the feed's own calls.
 * @throws {TypeError} An option is missing or out of its range.
 */
export type OpenIssuerChannel = (names: IssuerNames, source: TokenSource) => Promise<IssuerChannel>;

export interface GrpcIssuerOptions {
  readonly tokenExchange: string | readonly string[];
  readonly credential: WorkloadCredential;
  readonly nats?: Omit<NatsOptions, 'mesh'> | undefined;
  readonly tls: MeshTls;
  /** Proves the key that tokens of this issuer are bound to; absent: they are bound to none. */
  readonly signer?: DpopSigner | undefined;
  /** Which of the calls to it begin traces. */
  readonly tracing?: TracingOptions;
  readonly now: () => number;
  readonly random: () => number;
}

/** Calls to token-exchange are short: one that takes longer is better tried again. */
const exchangeTimeoutMs = 10_000;

/** The way over the network: gRPC to token-exchange, and NATS where there is one. */
export function grpcIssuerChannel(options: GrpcIssuerOptions): OpenIssuerChannel {
  const { credential, tls, signer, tracing = {}, now, random } = options;
  return async ({ self, trustDomain, issuer, tokenExchangeAudience, authority }, source) => {
    const { target: address, channelOptions: balancing } = targetOf(options.tokenExchange);
    const clientOptions: ClientOptions = {
      ...balancing,
      'grpc.enable_http_proxy': 0,
      // replicas are restarted one after the other: who still waits to try the first one again when the last one goes has none
      'grpc.initial_reconnect_backoff_ms': 100,
      // grpc-js waits up to two minutes before it tries a lost connection again: too long for the bound on revocations
      'grpc.max_reconnect_backoff_ms': 1_500,
      // a connection that died without a word would swallow every call for minutes: it is to be found dead before knowledge is stale
      'grpc.keepalive_time_ms': 2_000,
      'grpc.keepalive_timeout_ms': 2_500,
      channelFactoryOverride: (target, credentials, { channelFactoryOverride: _, ...rest }) => tls.openChannel(target, credentials, rest),
    };
    const exchangeClient = createExchangeClient({
      ...{ address, clientOptions, self, issuer, credential, tracing, now },
      proofs: signer && { signer, audience: tokenExchangeAudience, authority },
      channelCredentials: tls.channelCredentials(),
      timeoutMs: exchangeTimeoutMs,
    });
    // a feed that is opened anew with every token would have to be confirmed anew each time
    const renewals = createStreamRenewals({ source, now, random });
    const bearer = { renewals, tracing, ...(signer && { dpop: { signer, authority } }) };
    const feedClient = new tokenmesh.RevocationFeed(address, tls.channelCredentials(), {
      ...clientOptions,
      interceptors: [bearerInterceptor(tokenExchangeAudience, source, bearer)],
      callInvocationTransformer: noteStreamChannel,
    });
    return {
      exchangeClient,
      record: grpcRecord(feedClient),
      courier: options.nats && (await openCourier({ ...options.nats, mesh: trustDomain })),
      fallback: grpcTransport(feedClient),
      close() {
        renewals.close();
        exchangeClient.close();
        feedClient.close();
      },
    };
  };
}

// loaded only by those who have a NATS: it is the largest dependency
async function openCourier(options: NatsOptions): Promise<FeedTransport> {
  const { natsTransport } = await import('@tokenmesh/revocation/nats');
  return natsTransport(options);
}
