import type { ChannelCredentials, ClientOptions, ServerCredentials, ServerInterceptor } from '@grpc/grpc-js';
import type { PackageDefinition } from '@tokenmesh/proto';
import type { RevocationFeed } from '@tokenmesh/revocation';
import type { NatsOptions } from '@tokenmesh/revocation/nats';
import type { SigningKey } from '@tokenmesh/token';
import type { AccessRules } from '../incoming/access-rules.ts';
import type { ProofPolicy } from '../incoming/binding.ts';
import type { RefusedCall } from '../incoming/guarded-call.ts';
import type { StreamCredentialService } from '../incoming/stream-credential.ts';
import type { WorkloadCredential } from '../outgoing/workload-credential.ts';
import { composeMesh } from './compose-mesh.ts';
import { checkGrpcCopies } from './grpc-copies.ts';
import type { HealthReportOptions, HealthStatuses } from './health-report.ts';
import { grpcIssuerChannel } from './issuer-channel.ts';
import type { IssuerChange } from './issuer-connection.ts';
import type { MeshDescription } from './mesh-description.ts';
import { openMeshTls } from './mesh-tls.ts';
import type { MissedChanges } from './status-stream.ts';
import type { Certificate, CertificateChange, CertificateFiles } from './tls-files.ts';

/** Who this workload is, how it proves it, and what it expects of others. */
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
  /** The same in a file, which is read again whenever it changes; instead of `ca`. */
  readonly caFile?: string;
  /**
   * This workload's certificate, for mutual TLS: presented to whom it calls, and served with. Files are read again whenever they change: connections that
   * are made from then on use the new certificate, live calls go on over the old ones, and tokens that are bound to the old one are obtained again. `status()`
   * tells of it, and why files were not taken.
   */
  readonly certificate?: Certificate | CertificateFiles;
  /**
   * Binds this workload's tokens to a key of its own (RFC 9449), so that nobody else can use one that leaks: `true` for a new key that only this process
   * has, the path of a PKCS#8 PEM file, or a key. Default: they are bound to no key.
   */
  readonly dpop?: true | string | SigningKey;
  /**
   * Host, and port where it is not 443, that callers' DPoP proofs are for. Default: the path of `self` from its last segment to its first, then the trust
   * domain, `orders.a.ns.shop.test` for `spiffe://shop.test/ns/a/orders`. Callers say the same to `client()`.
   */
  readonly authority?: string;
  /** The same of token-exchange: the `authority` of its configuration. Default: the host of `issuer`. */
  readonly tokenExchangeAuthority?: string;
  /** How callers' DPoP proofs are judged. */
  readonly proofs?: ProofPolicy;
  /** `iss` of the mesh's tokens; default `https://token-exchange.<trust domain of self>`. */
  readonly issuer?: string;
  /** token-exchange's own identity as an audience; default `spiffe://<trust domain of self>/token-exchange`. */
  readonly tokenExchangeAudience?: string;
  /** Brings revocations over NATS; without it they come from token-exchange over gRPC, which also serves while NATS is away. */
  readonly nats?: Omit<NatsOptions, 'mesh'>;
  /** Age at which revocation data count as stale, in milliseconds; default 5 000, the S of the stated bound. */
  readonly staleAfterMs?: number;
  /**
   * Age of revocation data up to which standard methods go on that do not say it themselves, in milliseconds, 0 or more: the G of the stated bound.
   * Default `maxLifeSeconds`: no token could be alive that was issued before.
   */
  readonly maxBlindMs?: number;
  /** Clock difference that is tolerated for token times; integer 0…5, default 5. */
  readonly clockToleranceSeconds?: number;
  /**
   * Other meshes whose tokens count here as well, such as the successor of this one during a migration: each is verified by its own keys and its own
   * revocations. Calls go out with tokens of this mesh only.
   */
  readonly alsoTrust?: readonly TrustedMesh[];
  /** Ceiling on the life of a caller's token, in seconds; default 900. */
  readonly maxLifeSeconds?: number;
  /** How long token-exchange's word on an opaque token is kept, in milliseconds, unless a revocation covers it before; 0…300 000, default 30 000; 0: never. */
  readonly opaqueKeepMs?: number;
  /** How long a call may wait for its one request, in milliseconds; default 30 000. It ends within twice that. Not for calls that stream requests. */
  readonly maxUnaryWaitMs?: number;
  /** Lets everybody list services and messages by `grpc.reflection`, when the server serves it. Default false. */
  readonly allowReflection?: boolean;
  /** Lets `client()` send tokens over plaintext to hosts other than this one. Default false: they are refused before a byte is sent. */
  readonly allowPlaintext?: boolean;
  /**
   * Sends tokens as `tokenmesh-token` metadata instead of `authorization` to audiences that are announced with `compact_metadata`: HTTP/2 may index it, so that
   * a warm call carries one byte instead of its token. For meshes in which nothing on the way to a service strips unknown metadata, or logs them: what masks
   * `authorization` does not know this key. Default false. Incoming calls are taken either way.
   */
  readonly compactMetadata?: boolean;
  /**
   * Of the calls, in and out, that are in no trace, the part that begins one, 0…1. The others have no span and no trace context, which costs what it costs without an
   * OpenTelemetry SDK, whose own sampler is left at its default. Meant for where requests come in: a service behind another of the mesh says 0, begins
   * no trace and takes part in those of its callers. With it the mesh's own calls to token-exchange begin none either. Default: every call has a span, as the SDK's sampler decides.
   */
  readonly traceRatio?: number;
  /** Told of every incoming call that was refused. What it throws is ignored. Default: nobody. */
  readonly onRefused?: (refused: RefusedCall) => void;
  /** Wall clock, milliseconds since epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** Makes ids that never come twice, for what is signed. Default `randomUUID`. */
  readonly newId?: () => string;
  /** 0 to 1, spreads renewals and attempts, and picks the calls that begin traces. Default `Math.random`. */
  readonly random?: () => number;
}

/** Another mesh that is trusted; what is absent is as in this one, or derived as for this one. `ca` must hold its authorities, too. */
export type TrustedMesh = Pick<MeshOptions, 'tokenExchange'> &
  Partial<Pick<MeshOptions, 'self' | 'credential' | 'issuer' | 'tokenExchangeAudience' | 'tokenExchangeAuthority' | 'nats'>>;

/** What changed. Holds no token. */
export type MeshChange =
  | IssuerChange
  | { readonly type: 'certificate'; readonly change: CertificateChange }
  /** The last one. */
  | { readonly type: 'closed' };

/** This workload's place in the mesh. */
export interface Mesh {
  /**
   * Interceptors that verify every incoming call, for `new grpc.Server({ interceptors })`.
   *
   * @param packages Definitions of the served packages, as `@grpc/proto-loader` loads them: rules come from their options. For services whose
   *   `.proto` cannot be edited: `accessRules(Service, { … })`.
   * @throws {TypeError} When a method has no access rule, or two that differ.
   * @throws {Error} When the engine is older than Node 24.14.1.
   */
  server(...packages: (PackageDefinition | AccessRules)[]): ServerInterceptor[];
  /**
   * The service with which callers keep their long streams to this process alive beyond the life of a token, without opening them again:
   * `server.addService(...mesh.streamCredential())`. Without it streams end with the token that they were opened with.
   */
  streamCredential(): StreamCredentialService;
  /**
   * Options for a generated client whose calls go to one audience: `new Payments(address, mesh.channelCredentials(), mesh.client(audience))`.
   * The token is obtained in the background at once.
   *
   * Interceptors given per call replace the client's and with them the bearer: such calls go out bare and are refused.
   *
   * @param audience SPIFFE ID of the called service.
   * @param options.authority Host, and port where it is not 443, that it expects in DPoP proofs; default as for `authority` of `createMesh`.
   * @throws {TypeError} When one of them is none.
   */
  client(audience: string, options?: { readonly authority?: string }): ClientOptions;
  /** TLS to another workload, with this workload's certificate when it has one. */
  channelCredentials(): ChannelCredentials;
  /**
   * Mutual TLS to serve with: callers must present a certificate of the mesh.
   *
   * @throws {TypeError} Without a certificate, or without the authorities of its callers.
   */
  serverCredentials(): ServerCredentials;
  /**
   * Resolves once this workload can verify and call: keys and revocations are in, and there is a token for every `client()` so far.
   * Waits while token-exchange cannot be reached; not for the meshes of `alsoTrust`, which may be on their way out.
   *
   * @throws {ServiceError} When token-exchange refuses this workload a token: waiting would not help.
   * @throws {Error} When the mesh is closed before.
   */
  ready(): Promise<void>;
  /**
   * Keeps the statuses of a health service as they should be: NOT_SERVING until this process can decide calls and obtain tokens (`ready()`), SERVING from
   * then on, NOT_SERVING again while its revocation data are unknown or, if so wished, too old for any method.
   *
   * @param health For instance a `HealthImplementation` of grpc-health-check that was added to the server.
   * @returns Ends it, for draining: NOT_SERVING from then on. So does `close()`.
   */
  reportHealth(health: HealthStatuses, options?: HealthReportOptions): () => void;
  /** What is known of revocations, and how fresh it is. */
  readonly feed: RevocationFeed;
  /**
   * What changes from now on: tokens, keys, freshness, trouble with the feed, certificates; `closed` is the last. A reader that falls more than 256
   * changes behind loses the oldest and is told how many (`missed`).
   */
  status(): AsyncIterableIterator<MeshChange | MissedChanges>;
  /** What this process is in the mesh at this moment, as plain data. */
  describe(): MeshDescription;
  /** Stops everything in the background and closes the connections to token-exchange and NATS. Servers and clients stay the caller's. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Puts this process into the mesh: it can call with tokens and verify those of its callers.
 *
 * Returns without waiting for token-exchange; what needs it waits or refuses until it answers (`ready()`).
 *
 * @throws {TypeError} When an option is missing or out of its range.
 * @throws {Error} When the program uses another copy of `@grpc/grpc-js` than this package.
 */
export async function createMesh(options: MeshOptions): Promise<Mesh> {
  checkGrpcCopies();
  const { self, credential, alsoTrust = [], now = Date.now, random = Math.random } = options;
  const { mesh } = await composeMesh(options, {
    openTls: openMeshTls,
    issuers(tls, signer, tracing) {
      const place = (one: TrustedMesh) => ({
        ...{ self, ...one },
        addresses: [one.tokenExchange].flat().flatMap((address) => address.split(',').map((part) => part.trim())),
        open: grpcIssuerChannel({ credential, ...one, tls, signer, tracing, now, random }),
      });
      return [place(options), ...alsoTrust.map(place)];
    },
  });
  return mesh;
}
