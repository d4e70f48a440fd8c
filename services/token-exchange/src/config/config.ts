import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { NatsOptions } from '@tokenmesh/revocation/nats';
import type { Algorithm, VerificationKey } from '@tokenmesh/token';
import { LineCounter, parseDocument } from 'yaml';
import type { Federation } from '../clients/federation.ts';
import type { AdmissionLimits } from '../doors/admission.ts';
import type { ServerTls } from '../doors/server-credentials.ts';
import type { Grant } from '../grants/policy.ts';
import type { SubjectIssuer } from '../grants/subject-issuer.ts';
import { ConfigError, formatProblems } from './config-problem.ts';
import {
  type ConfigFiles,
  checkReferences,
  createConfigFiles,
  ownAudience,
  readJwks,
  readJwksFile,
  readPostgresUrl,
} from './config-references.ts';
import { type ConfigFile, checkShape } from './config-schema.ts';

/** One registered program and the keys that it proves itself with. */
export interface Workload {
  readonly id: string;
  readonly keys: ReadonlyMap<string, VerificationKey>;
  /** May authenticate with a certificate that names it (RFC 8705 section 2.1). Default false. */
  readonly tlsClientAuth?: boolean;
  /** Hash of its client secret, as `hashClientSecret` writes it; in development only. */
  readonly clientSecretScrypt?: string;
}

/** Where a server listens; port 0 lets the system choose. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** A `tokenmesh.yaml` that holds together, with everything read that it points at. */
export interface Config {
  readonly issuer: string;
  readonly trustDomain: string;
  /** token-exchange's own identity as an audience: `spiffe://<trust domain>/token-exchange`. */
  readonly audience: string;
  readonly listen: HostAndPort;
  /** The HTTP door, when there is one; `url` is where clients reach it, without a trailing slash. */
  readonly facade?: { readonly listen: HostAndPort; readonly url: string };
  readonly tls: ServerTls;
  /** One file on this machine, or a PostgreSQL that replicas share: a URL with user and password. */
  readonly store: { readonly sqlite: string } | { readonly postgres: string };
  readonly keys: {
    readonly alg: Algorithm;
    readonly encryptionKeyFile?: string;
    readonly rotateEveryMs: number;
    readonly activationTimeoutMs: number;
  };
  readonly nats?: NatsOptions;
  /** `sessionSeconds`: how long tokens can be refreshed. */
  readonly tokens: { readonly lifeSeconds: number; readonly ceilingSeconds: number; readonly sessionSeconds: number };
  readonly revocation: { readonly staleAfterMs: number };
  /** Whoever else may vouch for workloads. */
  readonly federations?: readonly Federation[];
  /** On behalf of whose subjects workloads may act, besides those of token-exchange. */
  readonly subjectIssuers?: readonly SubjectIssuer[];
  /** Host, and port where it is not 443, under which clients know token-exchange; default the host of `issuer`. */
  readonly authority?: string;
  /** Whether the DPoP proofs of token requests have to hold a nonce of token-exchange's (RFC 9449 section 8); absent: they need not. */
  readonly dpop?: { readonly nonce: 'required' | 'none' };
  /** Offers what must not be offered in production: client secrets. Default false. */
  readonly development?: boolean;
  /** How long the audit is kept; absent: 90 days. */
  readonly audit?: { readonly keepMs: number };
  /** How much of token-exchange its clients may use; absent: as much as there is. */
  readonly limits?: AdmissionLimits & {
    /** Snapshots of the revocation record that are read at a time; absent: as many as are asked for. */
    readonly snapshots?: number;
  };
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly grants: readonly Grant[];
}

/**
 * Reads and checks `tokenmesh.yaml`. Paths in it are relative to it.
 *
 * @param read Filled with the path of every file that was read or looked for, also when the configuration is refused.
 * @throws {ConfigError} With every problem found at once, unknown members included; each as `file:line:column: path: what, expected, did you
 *   mean`.
 */
export function loadConfig(file: string, read: Set<string> = new Set()): Config {
  read.add(resolve(file));
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const { line, col } = lines.linePos(error.pos[0]);
      return `${file}:${line}:${col}: (document): ${firstLine(error.message)}, expected YAML 1.2`;
    });
    throw new ConfigError(problems);
  }
  const value = resolveAliases(file, () => document.toJS() as unknown);
  const files = createConfigFiles(dirname(resolve(file)), read);
  const shape = checkShape(value);
  const problems = [...shape.problems, ...checkReferences(value, files)];
  if (!shape.file || problems.length > 0) throw new ConfigError(formatProblems(file, document, lines, problems));
  return build(shape.file, dirname(resolve(file)), files);
}

function hostAndPort(text: string): HostAndPort {
  const separator = text.lastIndexOf(':');
  return { host: text.slice(0, separator), port: Number(text.slice(separator + 1)) };
}

function build(file: ConfigFile, folder: string, files: ConfigFiles): Config {
  const { trust_domain: trustDomain, listen, facade, tls, store, keys, nats, tokens, revocation, limits } = file;
  const issuer = file.issuer ?? `https://token-exchange.${trustDomain}`;
  const opaqueAudiences = new Set(file.audiences.filter(({ format }) => format === 'opaque').map(({ id }) => id));
  const compactAudiences = new Set(file.audiences.filter(({ compact_metadata }) => compact_metadata).map(({ id }) => id));
  return {
    issuer,
    trustDomain,
    audience: ownAudience(trustDomain),
    listen: hostAndPort(listen),
    ...(facade && { facade: { listen: hostAndPort(facade.listen), url: (facade.url ?? issuer).replace(/\/$/, '') } }),
    tls: {
      cert: files.read(tls.cert),
      key: files.read(tls.key),
      ...(tls.client_ca !== undefined && { clientCa: files.read(tls.client_ca), clientCertificate: tls.client_certificate }),
    },
    ...(file.authority !== undefined && { authority: file.authority }),
    development: file.development,
    dpop: file.dpop,
    subjectIssuers: file.issuers.map((issuer) => readSubjectIssuer(issuer, files)),
    federations: file.federation.map((federation) => readFederation(federation, files)),
    store: storeOf(store, folder, files),
    keys: {
      alg: keys.alg,
      rotateEveryMs: keys.rotate_every,
      activationTimeoutMs: keys.activation_timeout,
      ...(keys.encryption_key_file !== undefined && { encryptionKeyFile: resolve(folder, keys.encryption_key_file) }),
    },
    ...(nats && { nats: natsOptions(nats, trustDomain, files) }),
    tokens: { lifeSeconds: tokens.life / 1000, ceilingSeconds: tokens.ceiling / 1000, sessionSeconds: tokens.session / 1000 },
    revocation: { staleAfterMs: revocation.stale_after },
    audit: { keepMs: file.audit.keep },
    limits: {
      perWorkload: limits.per_workload,
      burst: limits.burst,
      concurrency: limits.concurrency,
      queue: limits.queue,
      snapshots: limits.snapshots,
    },
    workloads: new Map(
      file.workloads.map(({ id, jwks, jwks_file, tls_client_auth, client_secret_scrypt }) => [
        id,
        {
          id,
          keys: jwks_file !== undefined ? readJwksFile(jwks_file, files) : jwks === undefined ? new Map() : readJwks(jwks),
          ...(tls_client_auth && { tlsClientAuth: true }),
          ...(client_secret_scrypt !== undefined && { clientSecretScrypt: client_secret_scrypt }),
        },
      ]),
    ),
    grants: file.grants.map(({ from, to, scopes, max_life, binding, refresh, delegation }) => ({
      from,
      to,
      scopes,
      delegation: delegation && { scopes: delegation.scopes, ...(delegation.issuers && { issuers: delegation.issuers }) },
      ...(refresh && { refresh }),
      ...(opaqueAudiences.has(to) && { format: 'opaque' as const }),
      ...(compactAudiences.has(to) && { compactMetadata: true as const }),
      ...(max_life !== undefined && { maxLifeSeconds: max_life / 1000 }),
      ...(binding !== undefined && { binding }),
    })),
  };
}

// checkReferences saw to it that there is exactly one
function storeOf({ sqlite, postgres }: ConfigFile['store'], folder: string, files: ConfigFiles): Config['store'] {
  if (postgres) return { postgres: postgres.url ?? readPostgresUrl(postgres.url_file ?? '', files) };
  return { sqlite: resolve(folder, sqlite ?? '') };
}

function readSubjectIssuer(entry: ConfigFile['issuers'][number], files: ConfigFiles): SubjectIssuer {
  const { issuer, audience, algorithms, jwks_file, jwks_url, allow_private_network, ca_file, subject_claim, required_claims } = entry;
  const fetching = { allowPrivateNetwork: allow_private_network, ...(ca_file !== undefined && { ca: files.read(ca_file) }) };
  const discovery = { url: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, discovers: issuer };
  return {
    issuer,
    audience,
    algorithms,
    keys:
      jwks_file !== undefined
        ? { jwks: files.read(jwks_file).toString('utf8') }
        : { ...(jwks_url === undefined ? discovery : { url: jwks_url }), ...fetching },
    subjectClaim: subject_claim,
    subjectPrefix: entry.subject_prefix ?? `${issuer}#`,
    requiredClaims: required_claims,
  };
}

function readFederation(federation: ConfigFile['federation'][number], files: ConfigFiles): Federation {
  const { issuer, audience, allow_other_audiences, jwks_file, jwks_url, allow_private_network, ca_file, max_life } = federation;
  return {
    ...(issuer !== undefined && { issuer }),
    audience,
    allowOtherAudiences: allow_other_audiences,
    keys:
      jwks_url === undefined
        ? { jwks: files.read(jwks_file ?? '').toString('utf8') } // checkReferences saw to it that there is exactly one
        : { url: jwks_url, allowPrivateNetwork: allow_private_network, ...(ca_file !== undefined && { ca: files.read(ca_file) }) },
    algorithms: federation.algorithms,
    maxLifeSeconds: max_life / 1000,
    workloads: federation.workloads,
  };
}

function natsOptions(nats: NonNullable<ConfigFile['nats']>, mesh: string, files: ConfigFiles): NatsOptions {
  const { ca, cert, key } = nats.tls ?? {};
  const pem = (path: string) => files.read(path).toString('utf8');
  return {
    mesh,
    servers: nats.servers,
    ...(nats.nkey_seed_file !== undefined && { nkeySeed: pem(nats.nkey_seed_file).trim() }),
    ...(nats.tls && {
      tls: {
        ...(ca !== undefined && { ca: pem(ca) }),
        ...(cert !== undefined && { cert: pem(cert) }),
        ...(key !== undefined && { key: pem(key) }),
      },
    }),
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'error';
    throw new ConfigError([`${file}:1:1: (document): cannot be read (${reason}), expected a tokenmesh.yaml`]);
  }
}

// whether aliases resolve, and to how much, shows only when they are followed
function resolveAliases(file: string, follow: () => unknown): unknown {
  try {
    return follow();
  } catch (error) {
    throw new ConfigError([`${file}:1:1: (document): ${firstLine((error as Error).message)}, expected aliases of anchors that are there`]);
  }
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? text).replace(/ at line \d+, column \d+:$/, '');
}
