import { randomUUID } from 'node:crypto';
import { parseSpiffeId } from '@tokenmesh/token';
import { authorityOf, parseAuthority } from '../authority.ts';
import { type ServerInterceptors, serverInterceptors } from '../incoming/server-interceptor.ts';
import { createRenewableStreams } from '../incoming/stream-credential.ts';
import { observeIssuers } from '../metrics.ts';
import { bearerInterceptor, noteStreamChannel } from '../outgoing/client-interceptor.ts';
import { createDpopSigner, type DpopSigner, dpopKey } from '../outgoing/dpop-signer.ts';
import { createStreamRenewals } from '../outgoing/stream-renewals.ts';
import { tracingClientInterceptor } from '../outgoing/traced-call.ts';
import type { TracingOptions } from '../tracing.ts';
import { reportHealth } from './health-report.ts';
import { connectIssuers, type IssuerConnection, type IssuerConnectionOptions } from './issuer-connection.ts';
import { knownTime } from './known-time.ts';
import type { Mesh, MeshChange, MeshOptions } from './mesh.ts';
import { describeIssuer, rulesOf, versions } from './mesh-description.ts';
import type { MeshTls, openMeshTls } from './mesh-tls.ts';
import { obtainFirst } from './obtain-first.ts';
import { redactGrpcLog } from './redacted-grpc-log.ts';
import { createStatusStream } from './status-stream.ts';

/** The options of a mesh without those that say where the outside is. */
export type ComposedOptions = Omit<MeshOptions, 'tokenExchange' | 'credential' | 'nats' | 'alsoTrust'>;

/** An issuer, and the way to it. */
export type IssuerPlace = Pick<
  IssuerConnectionOptions,
  'self' | 'addresses' | 'open' | 'issuer' | 'tokenExchangeAudience' | 'tokenExchangeAuthority'
>;

/** What a mesh has around it: the network, or the memory of a test. */
export interface MeshOutside {
  openTls: typeof openMeshTls;
  /** The mesh's own issuer first, then those that are also trusted. `tracing`: which of the calls to them begin traces. */
  issuers(tls: MeshTls, signer: DpopSigner | undefined, tracing: TracingOptions): readonly [IssuerPlace, ...IssuerPlace[]];
}

/** A mesh, and the connections that it is made of. */
export interface ComposedMesh {
  readonly mesh: Mesh;
  readonly issuers: readonly IssuerConnection[];
}

/**
 * Puts a mesh together out of its parts, whatever is around it.
 *
 * @throws {TypeError} When an option is out of its range.
 */
export async function composeMesh(options: ComposedOptions, outside: MeshOutside): Promise<ComposedMesh> {
  redactGrpcLog();
  const self = parseSpiffeId(options.self);
  const { allowPlaintext = false, compactMetadata = false, now = Date.now, newId = randomUUID, random = Math.random, traceRatio } = options;
  const { staleAfterMs = 5_000, maxLifeSeconds = 900, maxBlindMs = maxLifeSeconds * 1000 } = options;
  const tolerances = {
    clockToleranceSeconds: options.clockToleranceSeconds ?? 5,
    ...{ maxLifeSeconds, staleAfterMs, maxBlindMs },
    opaqueKeepMs: options.opaqueKeepMs ?? 30_000,
    maxUnaryWaitMs: options.maxUnaryWaitMs ?? 30_000,
  };
  const traced = tracingClientInterceptor({ traceRatio, random });
  const status = createStatusStream<MeshChange>();
  const signer = options.dpop === undefined ? undefined : createDpopSigner({ key: dpopKey(options.dpop), now, newId });
  const tls = outside.openTls(options, { onChange: (change) => status.report({ type: 'certificate', change }), now });
  // what the mesh does by itself begins no trace then
  const tracing: TracingOptions = traceRatio === undefined ? {} : { traceRatio: 0 };
  const shared = { certificate: tls.thumbprint, compactMetadata, onChange: status.report, staleAfterMs, tracing, now, newId, random };
  const [first, ...more] = outside.issuers(tls, signer, tracing);
  const issuers = await connectIssuers([{ ...first, ...shared }, ...more.map((other) => ({ ...other, ...shared }))]).catch(
    (error: unknown) => {
      tls.close();
      throw error;
    },
  );
  const [own, ...others] = issuers;
  const { source, feed, keys } = own;
  const audiences = new Set<string>([own.tokenExchangeAudience]);
  const servers: ServerInterceptors[] = [];
  const streams = createRenewableStreams();
  const renewals = createStreamRenewals({ source, now, random });
  const stopObserving = observeIssuers(
    issuers.map(({ issuer, self: workload, feed: its, keys: known, source: { heldTokens } }) => ({
      ...{ issuer, workload, heldTokens, freshness: () => its.freshness(), keysAgeMs: known.ageMs },
    })),
  );
  const healthReports = new Set<() => void>();
  const closing = new AbortController();
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => undefined); // whoever waits for ready() is told
  const obtain = (audience: string) => obtainFirst(audience, { source, signal: closing.signal, random });

  // calls need not wait for the tokens that are bound to the new certificate
  tls.onRenewed(() => {
    for (const audience of audiences) obtain(audience).catch(() => undefined);
  });

  function reportRules(): void {
    for (const issuer of issuers) issuer.startReporting(rulesOf(servers));
  }

  const mesh: Mesh = {
    server(...packages) {
      const { authority, proofs, allowReflection = false, onRefused } = options;
      const created = serverInterceptors({
        packages,
        audience: self,
        issuer: own.issuer,
        keys,
        revocation: feed,
        introspect: own.exchangeClient.introspect,
        alsoTrust: others.map(({ issuer, self: audience, keys, feed: revocation, exchangeClient: { introspect } }) => ({
          ...{ issuer, audience, keys, revocation, introspect },
        })),
        ...tolerances,
        allowReflection,
        streams,
        ...(authority !== undefined && { authority }),
        ...{ traceRatio, random },
        ...(proofs && { proofs }),
        ...(onRefused && { onRefused }),
        now,
        timeAt: knownTime(feed),
      });
      servers.push(created);
      reportRules();
      return created.interceptors;
    },
    streamCredential() {
      const service = streams.service();
      if (servers.length > 0) reportRules();
      return service;
    },
    client(audience, { authority } = {}) {
      audiences.add(parseSpiffeId(audience));
      const dpop = signer && { signer, authority: authority === undefined ? authorityOf(audience) : parseAuthority(authority) };
      obtain(audience).catch(() => undefined); // the calls that need the token, and ready(), end with the cause
      return {
        'grpc.enable_http_proxy': 0,
        interceptors: [traced, bearerInterceptor(audience, source, { renewals, tracing, ...(dpop && { dpop }) })],
        callInvocationTransformer: noteStreamChannel,
        channelFactoryOverride(target, channel, { channelFactoryOverride: _, ...rest }) {
          if (!channel._isSecure() && !allowPlaintext && !isLoopback(target)) {
            throw new TypeError(`tokens are not sent in plaintext to ${target}: use mesh.channelCredentials(), or allowPlaintext`);
          }
          return tls.openChannel(target, channel, rest);
        },
      };
    },
    channelCredentials: tls.channelCredentials,
    serverCredentials: tls.serverCredentials,
    async ready() {
      await Promise.race([closed.promise, Promise.all([...[...audiences].map(obtain), keys.ready(), feed.ready()])]);
    },
    reportHealth(health, reportOptions) {
      const stop = reportHealth(health, { ready: mesh.ready(), freshness: () => feed.freshness(), maxBlindMs }, reportOptions);
      const end = () => {
        healthReports.delete(end);
        stop();
      };
      healthReports.add(end);
      return end;
    },
    feed,
    status: status.changes,
    describe: () => ({
      self,
      issuers: issuers.map(describeIssuer),
      audiences: [...audiences],
      methods: rulesOf(servers),
      binding: { certificate: tls.thumbprint(), dpop: signer !== undefined },
      tolerances,
      versions,
    }),
    async close() {
      closing.abort(new Error('the mesh was closed'));
      closed.reject(closing.signal.reason);
      for (const end of healthReports) end();
      stopObserving();
      renewals.close();
      for (const server of servers) server.close();
      tls.close();
      await Promise.all(issuers.map((issuer) => issuer.close()));
      status.report({ type: 'closed' });
      status.close();
    },
    [Symbol.asyncDispose]: () => mesh.close(),
  };
  return { mesh, issuers };
}

function isLoopback(target: string): boolean {
  return (
    /^(?:dns:(?:\/\/[^/]*\/)?|ipv4:|ipv6:|)(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(target) || target.startsWith('unix:')
  );
}
