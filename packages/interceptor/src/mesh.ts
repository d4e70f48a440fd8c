import { randomUUID } from 'node:crypto';
import {
  Channel,
  type ChannelCredentials,
  type ChannelOptions,
  type ClientOptions,
  credentials,
  ServerCredentials,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { type PackageDefinition, tokenmesh } from '@tokenmesh/proto';
import { createRevocationFeed, type FeedTransport, type RevocationFeed } from '@tokenmesh/revocation';
import { grpcRecord, grpcTransport } from '@tokenmesh/revocation/grpc';
import type { NatsOptions } from '@tokenmesh/revocation/nats';
import { parseSpiffeId, trustDomainOf } from '@tokenmesh/token';
import packageJson from '../package.json' with { type: 'json' };
import { targetOf } from './address-list.ts';
import { bearerInterceptor } from './client-interceptor.ts';
import { createExchangeClient, isTransient } from './exchange-client.ts';
import { createRemoteKeySet } from './remote-key-set.ts';
import { type RefusedCall, type ServerInterceptors, serverInterceptors } from './server-interceptor.ts';
import { createTokenSource } from './token-source.ts';
import { tracingClientInterceptor } from './tracing.ts';
import type { WorkloadCredential } from './workload-credential.ts';

/** A certificate chain and its key, both PEM. */
export interface Certificate {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface MeshOptions {
  /** This workload's SPIFFE ID: the `client_id` it authenticates with, and the only audience it accepts tokens for. */
  readonly self: string;
  /**
   * `host:port` of token-exchange; always reached over TLS. Several, with commas between them or in an array, are replicas of it: calls take turns
   * between those that answer, and the certificates of all of them are checked for the name of the first.
   */
  readonly tokenExchange: string | readonly string[];
  /** How this workload proves who it is: `privateKeyJwt(keyFile)`, `kubernetesToken(file)`, `jwtSvid(file)` or `clientCertificate()`. */
  readonly credential: WorkloadCredential;
  /** Certificate authorities (PEM) that certificates of the mesh chain to. Default: the system's. */
  readonly ca?: string | Buffer;
  /** This workload's certificate, for mutual TLS: presented to whom it calls, and served with. */
  readonly certificate?: Certificate;
  /** `iss` of the mesh's tokens; default `https://token-exchange.<trust domain of self>`. */
  readonly issuer?: string;
  /** token-exchange's own identity as an audience; default `spiffe://<trust domain of self>/token-exchange`. */
  readonly tokenExchangeAudience?: string;
  /** Brings revocations over NATS; without it they come from token-exchange over gRPC, which also serves while NATS is away. */
  readonly nats?: Omit<NatsOptions, 'mesh'>;
  /** Age at which revocation data count as stale, in milliseconds; default 5 000, the S of the stated bound. */
  readonly staleAfterMs?: number;
  /** Clock difference that is tolerated for token times; integer 0…5, default 5. */
  readonly clockToleranceSeconds?: number;
  /** Lets `client()` send tokens over plaintext to hosts other than this one. Default false: they are refused before a byte is sent. */
  readonly allowPlaintext?: boolean;
  /** Told of every incoming call that was refused. Default: nobody. */
  readonly onRefused?: (refused: RefusedCall) => void;
  readonly now?: () => number;
  readonly newId?: () => string;
  readonly random?: () => number;
}

/** This workload's place in the mesh. */
export interface Mesh {
  /**
   * Interceptors that verify every incoming call, for `new grpc.Server({ interceptors })`.
   *
   * @param packages Definitions of the served packages, as `@grpc/proto-loader` loads them: rules come from their options.
   * @throws {TypeError} When a method has no access rule.
   */
  server(...packages: PackageDefinition[]): ServerInterceptor[];
  /**
   * Options for a generated client whose calls go to one audience: `new Payments(address, mesh.channelCredentials(), mesh.client(audience))`.
   * The token is obtained in the background at once.
   *
   * Interceptors given per call replace the client's and with them the bearer: such calls go out bare and are refused.
   *
   * @param audience SPIFFE ID of the called service.
   */
  client(audience: string): ClientOptions;
  /** TLS to another workload, with this workload's certificate when it has one. */
  channelCredentials(): ChannelCredentials;
  /**
   * Mutual TLS to serve with: callers must present a certificate of the mesh.
   *
   * @throws {TypeError} Without `certificate` and `ca`.
   */
  serverCredentials(): ServerCredentials;
  /**
   * Resolves once this workload can verify and call: keys and revocations are in, and there is a token for every `client()` so far.
   * Waits while token-exchange cannot be reached.
   *
   * @throws {ServiceError} When token-exchange refuses this workload a token: waiting would not help.
   */
  ready(): Promise<void>;
  /** What is known of revocations, and how fresh it is. */
  readonly feed: RevocationFeed;
  /** Stops everything in the background and closes the connections to token-exchange and NATS. Servers and clients stay the caller's. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Calls to token-exchange are short: one that takes longer is better tried again. */
const exchangeTimeoutMs = 10_000;
const retryMs = 500;
/** How often a process that verifies tells token-exchange what it knows. */
const reportEveryMs = 5_000;

/**
 * Puts this process into the mesh: it can call with tokens and verify those of its callers.
 *
 * Returns without waiting for token-exchange; what needs it waits or refuses until it answers (`ready()`).
 *
 * @throws {TypeError} When an option is missing or out of its range.
 */
export async function createMesh(options: MeshOptions): Promise<Mesh> {
  const self = parseSpiffeId(options.self);
  const trustDomain = trustDomainOf(self);
  const { credential, certificate, allowPlaintext = false, now = Date.now, newId = randomUUID, random = Math.random } = options;
  const issuer = options.issuer ?? `https://token-exchange.${trustDomain}`;
  const tokenExchangeAudience = parseSpiffeId(options.tokenExchangeAudience ?? `spiffe://${trustDomain}/token-exchange`);
  const { target: address, channelOptions: balancing } = targetOf(options.tokenExchange);

  const channelCredentials = () => credentials.createSsl(pem(options.ca), pem(certificate?.key), pem(certificate?.cert));
  const toTokenExchange: ChannelOptions = {
    ...balancing,
    'grpc.enable_http_proxy': 0,
    // replicas are restarted one after the other: who still waits to try the first one again when the last one goes has none
    'grpc.initial_reconnect_backoff_ms': 100,
    // grpc-js waits up to two minutes before it tries a lost connection again: too long for the bound on revocations
    'grpc.max_reconnect_backoff_ms': 2_000,
  };
  const exchangeClient = createExchangeClient({
    address,
    channelCredentials: channelCredentials(),
    channelOptions: toTokenExchange,
    self,
    issuer,
    credential,
    timeoutMs: exchangeTimeoutMs,
    now,
  });

  // The feed's own calls need a token, and tokens are evicted by the feed: the source looks at the set that the feed fills.
  const feedClient = new tokenmesh.RevocationFeed(address, channelCredentials(), {
    ...toTokenExchange,
    interceptors: [
      bearerInterceptor(tokenExchangeAudience, { get: (request) => source.get(request), drop: (token) => source.drop(token) }),
    ],
  });
  const fallback = grpcTransport(feedClient);
  const courier = options.nats && (await openCourier({ ...options.nats, mesh: trustDomain }));
  const keys = createRemoteKeySet({ fetch: exchangeClient.fetchKeys, onChange: () => report(), now, random });
  const feed = createRevocationFeed({
    record: grpcRecord(feedClient),
    ...(courier && { courier }),
    fallback,
    issuer,
    mesh: trustDomain,
    ...(options.staleAfterMs !== undefined && { staleAfterMs: options.staleAfterMs }),
    now,
    newId,
    random,
  });
  const source = createTokenSource({ exchange: exchangeClient.exchange, revoked: feed.set, now, random });
  const audiences = new Set<string>([tokenExchangeAudience]);
  const servers: ServerInterceptors[] = [];
  const closing = new AbortController();

  const instance = newId();
  // a rotation waits for the report: it is sent at once when new keys were learned
  function report(): void {
    if (servers.length === 0 || closing.signal.aborted) return;
    const freshness = feed.freshness();
    const known =
      freshness.state === 'empty'
        ? { fresh_at_ms: 0, n: 0, path: '' }
        : { fresh_at_ms: freshness.freshAtMs, n: freshness.n, path: freshness.path };
    fallback.report({ ...known, instance, kids: [...keys.kids()], version: packageJson.version });
  }
  const reporting = setInterval(report, reportEveryMs).unref();

  async function obtainFirst(audience: string): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await source.get({ audience });
        return;
      } catch (error) {
        if (!isTransient((error as { code?: number }).code ?? -1)) throw error;
        await new Promise((resolve) => setTimeout(resolve, retryMs * (1 + random())).unref());
      }
    }
  }

  const mesh: Mesh = {
    server(...packages) {
      const { clockToleranceSeconds = 5, onRefused } = options;
      const created = serverInterceptors({
        packages,
        audience: self,
        issuer,
        keys,
        revocation: feed,
        introspect: exchangeClient.introspect,
        clockToleranceSeconds,
        ...(onRefused && { onRefused }),
        now,
      });
      servers.push(created);
      return created.interceptors;
    },
    client(audience) {
      audiences.add(parseSpiffeId(audience));
      obtainFirst(audience).catch(() => undefined); // the calls that need the token, and ready(), end with the cause
      return {
        'grpc.enable_http_proxy': 0,
        interceptors: [tracingClientInterceptor(), bearerInterceptor(audience, source)],
        channelFactoryOverride(target, channel, { channelFactoryOverride: _, ...rest }) {
          if (!channel._isSecure() && !allowPlaintext && !isLoopback(target)) {
            throw new TypeError(`tokens are not sent in plaintext to ${target}: use mesh.channelCredentials(), or allowPlaintext`);
          }
          return new Channel(target, channel, rest);
        },
      };
    },
    channelCredentials,
    serverCredentials() {
      if (!certificate || !options.ca) throw new TypeError('serverCredentials() needs the options certificate and ca');
      const pair = { private_key: Buffer.from(certificate.key), cert_chain: Buffer.from(certificate.cert) };
      return ServerCredentials.createSsl(Buffer.from(options.ca), [pair], true);
    },
    async ready() {
      await Promise.all([...[...audiences].map(obtainFirst), keys.ready(), feed.ready()]);
    },
    feed,
    async close() {
      closing.abort();
      clearInterval(reporting);
      keys.close();
      for (const server of servers) server.close();
      await feed.close();
      exchangeClient.close();
      feedClient.close();
    },
    [Symbol.asyncDispose]: () => mesh.close(),
  };
  return mesh;
}

// loaded only by those who have a NATS: it is the largest dependency
async function openCourier(options: NatsOptions): Promise<FeedTransport> {
  const { natsTransport } = await import('@tokenmesh/revocation/nats');
  return natsTransport(options);
}

function pem(text: string | Buffer | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}

function isLoopback(target: string): boolean {
  return (
    /^(?:dns:(?:\/\/[^/]*\/)?|ipv4:|ipv6:|)(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(target) || target.startsWith('unix:')
  );
}
