import { Server, type ServerCredentials, type ServerOptions } from '@grpc/grpc-js';
import { serverInterceptors } from '@tokenmesh/interceptor';
import { tokenmesh, tokenmeshPackage } from '@tokenmesh/proto';
import type { FeedPublisher } from '@tokenmesh/revocation';
import { createDpopNonces, createTimeOrderedIds } from '@tokenmesh/token';
import { HealthImplementation } from 'grpc-health-check';
import { type AuditTrail, openAuditTrail } from './audit/audit.ts';
import { createAuditAdmin } from './audit/audit-admin.ts';
import { auditOperations } from './audit/audit-operations.ts';
import { createFederations } from './clients/federation.ts';
import type { Config } from './config/config.ts';
import { createAdminService } from './doors/admin-service.ts';
import { createAdmission, unlimited } from './doors/admission.ts';
import { admitOperations } from './doors/admit-operations.ts';
import { createExchangeService } from './doors/exchange-service.ts';
import type { Facade } from './doors/facade.ts';
import { createFeedService } from './doors/feed-service.ts';
import { createServerCredentials } from './doors/server-credentials.ts';
import { createProblemLog, type EventLog } from './event-log.ts';
import { traceOperations } from './grants/grant-span.ts';
import { type ConfigChange, openLiveIssuer } from './grants/live-issuer.ts';
import { createOperations } from './grants/operations.ts';
import { createPolicy } from './grants/policy.ts';
import { createSubjectIssuers } from './grants/subject-issuer.ts';
import type { KeyEncryption } from './keys/key-encryption.ts';
import type { KeyLifeSettings } from './keys/key-life.ts';
import { startKeyRotation } from './keys/key-rotation.ts';
import { openKeyRing } from './keys/keys.ts';
import { limitLog } from './limited-log.ts';
import { measuredPublisher } from './metrics/measured-publisher.ts';
import { measuredStore } from './metrics/measured-store.ts';
import { observeIssuer } from './metrics/observe-issuer.ts';
import { createOperationMetrics } from './metrics/operation-metrics.ts';
import { createRevocationMetrics } from './metrics/revocation-metrics.ts';
import type { Store } from './record/store.ts';
import { openRevocationLog } from './revocation/revocation-log.ts';
import { createVerifierReports } from './revocation/verifier-reports.ts';

export interface TokenExchangeOptions {
  readonly config: Config;
  /** Open; stays the caller's to close. */
  readonly store: Store;
  /** Opens and seals the signing keys in the store. */
  readonly encryption: KeyEncryption;
  /** Carries revocations beside the gRPC feed; stays the caller's to close. Absent: the gRPC feed alone. */
  readonly publisher?: FeedPublisher;
  readonly log: EventLog;
  /** Milliseconds since epoch; default `Date.now`. */
  readonly now?: () => number;
  /** Ids of tokens, chains and events; default: those of `createTimeOrderedIds`. */
  readonly newId?: () => string;
}

/** A token-exchange that answers. */
export interface TokenExchangeServer {
  /** The port it listens on, also when the configuration left the choice to the system. */
  readonly port: number;
  /** The port of the HTTP door, when the configuration has one. */
  readonly facadePort?: number;
  /** Puts another configuration into force, as far as that can be done at run time. See `LiveIssuer.apply`. */
  applyConfig(next: Config): Promise<ConfigChange>;
  /** Reports NOT_SERVING, ends the feed's streams, finishes the calls under way (5 s at most) and stops. May be called more than once. */
  close(): Promise<void>;
}

// each limit bounds what one connection can cost; what they were measured against is in the threat model
const limits: ServerOptions = {
  'grpc.max_concurrent_streams': 256,
  // a request is parameters and two tokens of 4 KiB; 500 targets of a revocation fit as well
  'grpc.max_receive_message_length': 256 * 1024,
  // connections move to other replicas now and then; streams get time to be reopened
  'grpc.max_connection_age_ms': 30 * 60_000,
  'grpc.max_connection_age_grace_ms': 60_000,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // MB; unlimited by default
  'grpc-node.max_session_memory': 64,
};

const drainTimeoutMs = 5000;
/** How long the audit is kept when the configuration does not say. */
const defaultKeepMs = 90 * 86_400_000;

const services = ['tokenmesh.v1.TokenExchange', 'tokenmesh.v1.RevocationFeed', 'tokenmesh.v1.Admin'] as const;

/**
 * Starts token-exchange over TLS: loads or generates its keys, loads what is revoked, then listens. What was opened is closed again when it cannot.
 *
 * @throws {KeyEncryptionError | KeyRingError} When the signing keys cannot be used.
 * @throws {Error} When the record fails, or the port cannot be had.
 */
export async function startTokenExchange(options: TokenExchangeOptions): Promise<TokenExchangeServer> {
  const opened = new AsyncDisposableStack();
  try {
    return await start(options, opened);
  } catch (error) {
    await opened.disposeAsync().catch((problem: unknown) => options.log.error({ event: 'close.failed', err: problem }));
    throw error;
  }
}

/** @param opened Takes what has to be closed, in the order in which it was opened. */
async function start(options: TokenExchangeOptions, opened: AsyncDisposableStack): Promise<TokenExchangeServer> {
  const { config, encryption, now = Date.now, newId = createTimeOrderedIds(now) } = options;
  const log = opened.adopt(limitLog(options.log), (limited) => limited.close());
  const store = measuredStore(options.store);
  const publisher = options.publisher && measuredPublisher(options.publisher);
  const { issuer, trustDomain, audience, tokens, tls, listen } = config;
  const keys = await openKeyRing({
    ...{ store, encryption, now },
    alg: config.keys.alg,
    activationTimeoutMs: config.keys.activationTimeoutMs,
  });
  const reportProblem = createProblemLog(log, now);
  const revocationMetrics = createRevocationMetrics();
  let inForce = () => config;
  const revocations = await openRevocationLog({
    store,
    keys,
    issuer,
    mesh: trustDomain,
    staleAfterMs: config.revocation.staleAfterMs,
    ceilingSeconds: tokens.ceilingSeconds,
    sessionSeconds: () => (inForce().grants.some(({ refresh }) => refresh) ? inForce().tokens.sessionSeconds : 0),
    ...(publisher && { publisher }),
    onProblem: (problem, error) => reportProblem(`revocation.${problem}_failed`, error),
    onFinding(finding) {
      revocationMetrics.found(finding);
      log.error({ event: `stream.${finding.kind}`, ...finding.what });
    },
    onRevoked: revocationMetrics.revoked,
    now,
    newId,
  });
  opened.defer(revocations.close);
  if (config.development) {
    log.warn({
      event: 'development',
      detail: 'DEVELOPMENT MODE: client secrets are accepted. Never run this where anything is worth protecting.',
    });
  }
  const nonceKey = config.dpop?.nonce === 'required' ? encryption.derive('DPoP nonces') : undefined;
  const dpopNonces = nonceKey && createDpopNonces(nonceKey, now);
  const live = await openLiveIssuer({
    config,
    parts: { keys, store, revocations, ...(dpopNonces && { dpopNonces }), now, newId },
    compile: (next) => createPolicy({ grants: next.grants, ownAudience: audience, lifeSeconds: next.tokens.lifeSeconds }),
    trust: (next) => ({
      federations: createFederations(next.federations ?? [], now),
      subjectIssuers: createSubjectIssuers(next.subjectIssuers ?? [], now),
    }),
    log,
  });
  inForce = () => live.config;
  // whoever reports may be the one that an activation waits for
  const reports = createVerifierReports(now, () => void rotation.check());
  const rotation = startKeyRotation({
    ...{ store, keys, reports, log, now, newId },
    settings: keyLifeOf(config, await store.transaction((transaction) => transaction.longestLife(tokens.ceilingSeconds))),
    onProblem: reportProblem,
  });
  opened.defer(rotation.close);
  opened.defer(observeIssuer({ keys, view: revocations.view, reports, now }));
  await rotation.check(); // whoever asks for keys finds the successors among them
  const snapshots = () => live.config.limits?.snapshots ?? Number.POSITIVE_INFINITY;
  const feed = createFeedService({ revocations, keys, reports, snapshots, log });
  const authority = config.authority ?? new URL(issuer).host;
  const guard = serverInterceptors({
    packages: [tokenmeshPackage()],
    audience,
    authority,
    // the same nonces as for token requests: a client keeps one for each server
    ...(nonceKey && { proofs: { nonce: 'required', nonceKey } }),
    issuer,
    keys: keys.token,
    revocation: revocations.view,
    maxLifeSeconds: tokens.ceilingSeconds,
    onRefused: ({ method, error, peer }) => log.warn({ event: 'call.refused', method, reason: error.reason, detail: error.message, peer }),
    now,
  });
  opened.defer(guard.close);

  const admission = createAdmission({
    limits: () => live.config.limits ?? unlimited,
    isRegistered: (clientId) => live.config.workloads.has(clientId),
    log,
    now: () => performance.now(),
  });
  const audit = openAuditTrail({ store, keepMs: () => live.config.audit?.keepMs ?? defaultKeepMs, now, onProblem: reportProblem });
  opened.defer(audit.close);
  const auditAdmin = createAuditAdmin({ store, audit, log });
  const metrics = createOperationMetrics();
  const refused: AuditTrail['refused'] = (refusal) => {
    metrics.refused(refusal);
    audit.refused(refusal);
  };
  const admitted = admitOperations(createOperations(live, log, metrics.issued), admission, live);
  const operations = traceOperations(metrics.measure(auditOperations(admitted, live, { refused })));
  const server = new Server({ ...limits, interceptors: guard.interceptors });
  server.addService(tokenmesh.TokenExchange.service, createExchangeService(operations, authority, log, dpopNonces));
  server.addService(tokenmesh.RevocationFeed.service, feed.handlers);
  const adminService = createAdminService({
    ...{ live, store, revocations, reports, rotation, log, now },
    audit: auditAdmin,
    own: { audience, rules: guard.rules },
  });
  server.addService(tokenmesh.Admin.service, adminService);
  server.addService(...guard.streamCredential()); // verifiers keep their feed beyond the life of a token
  const health = new HealthImplementation(Object.fromEntries(['', ...services].map((service) => [service, 'SERVING' as const])));
  health.addToServer(server);

  let facade: Facade | undefined;
  opened.defer(async () => {
    for (const service of ['', ...services]) health.setStatus(service, 'NOT_SERVING');
    feed.close();
    auditAdmin.close();
    await Promise.all([drain(server), facade?.close()]);
  });
  if (config.facade) {
    const { startFacade } = await import('./doors/facade.ts'); // with the HTTP framework, which few have a use for
    facade = await startFacade({ ...config.facade, operations, log, tls, dpopNonces });
  }
  const port = await bind(server, `${listen.host}:${listen.port}`, createServerCredentials(tls));
  let stopping: Promise<void> | undefined;
  return {
    port,
    ...(facade && { facadePort: facade.port }),
    applyConfig: live.apply,
    close() {
      stopping ??= opened.disposeAsync();
      return stopping;
    },
  };
}

function keyLifeOf({ keys: { alg, rotateEveryMs, activationTimeoutMs } }: Config, longestLifeSeconds: number): KeyLifeSettings {
  return {
    ...{ alg, rotateEveryMs, activationTimeoutMs },
    feedAnnouncementMs: activationTimeoutMs / 2,
    longestLifeMs: longestLifeSeconds * 1000,
  };
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

async function drain(server: Server): Promise<void> {
  const finished = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  const timer = setTimeout(() => server.forceShutdown(), drainTimeoutMs);
  await finished;
  clearTimeout(timer);
}
