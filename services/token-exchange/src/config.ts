import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { NatsOptions } from '@tokenmesh/revocation/nats';
import type { Algorithm, VerificationKey } from '@tokenmesh/token';
import { LineCounter, parseDocument } from 'yaml';
import { ConfigError, formatProblems } from './config-problem.ts';
import { type ConfigFiles, checkReferences, createConfigFiles, ownAudience, readJwks, readJwksFile } from './config-references.ts';
import { type ConfigFile, checkShape } from './config-schema.ts';
import type { Grant } from './policy.ts';

/** One registered program and the keys that it proves itself with. */
export interface Workload {
  readonly id: string;
  readonly keys: ReadonlyMap<string, VerificationKey>;
}

/** A `tokenmesh.yaml` that holds together, with everything read that it points at. */
export interface Config {
  readonly issuer: string;
  readonly trustDomain: string;
  /** token-exchange's own identity as an audience: `spiffe://<trust domain>/token-exchange`. */
  readonly audience: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM. With `clientCa` every client has to present a certificate that chains to it. */
  readonly tls: { readonly cert: Buffer; readonly key: Buffer; readonly clientCa?: Buffer };
  readonly store: { readonly sqlite: string };
  readonly keys: { readonly alg: Algorithm; readonly encryptionKeyFile?: string };
  readonly nats?: NatsOptions;
  readonly tokens: { readonly lifeSeconds: number; readonly ceilingSeconds: number };
  readonly revocation: { readonly staleAfterMs: number };
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly grants: readonly Grant[];
}

/**
 * Reads and checks `tokenmesh.yaml`. Paths in it are relative to it.
 *
 * @throws {ConfigError} With every problem found at once, unknown members included; each as `file:line:column: path: what, expected, did you
 *   mean`.
 */
export function loadConfig(file: string): Config {
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
  const files = createConfigFiles(dirname(resolve(file)));
  const shape = checkShape(value);
  const problems = [...shape.problems, ...checkReferences(value, files)];
  if (!shape.file || problems.length > 0) throw new ConfigError(formatProblems(file, document, lines, problems));
  return build(shape.file, dirname(resolve(file)), files);
}

function build(file: ConfigFile, folder: string, files: ConfigFiles): Config {
  const { trust_domain: trustDomain, listen, tls, store, keys, nats, tokens, revocation } = file;
  const separator = listen.lastIndexOf(':');
  return {
    issuer: file.issuer ?? `https://token-exchange.${trustDomain}`,
    trustDomain,
    audience: ownAudience(trustDomain),
    listen: { host: listen.slice(0, separator), port: Number(listen.slice(separator + 1)) },
    tls: {
      cert: files.read(tls.cert),
      key: files.read(tls.key),
      ...(tls.client_ca !== undefined && { clientCa: files.read(tls.client_ca) }),
    },
    store: { sqlite: resolve(folder, store.sqlite) },
    keys: {
      alg: keys.alg,
      ...(keys.encryption_key_file !== undefined && { encryptionKeyFile: resolve(folder, keys.encryption_key_file) }),
    },
    ...(nats && { nats: natsOptions(nats, trustDomain, files) }),
    tokens: { lifeSeconds: tokens.life / 1000, ceilingSeconds: tokens.ceiling / 1000 },
    revocation: { staleAfterMs: revocation.stale_after },
    workloads: new Map(
      file.workloads.map(({ id, jwks, jwks_file }) => [
        id,
        { id, keys: jwks_file === undefined ? readJwks(jwks) : readJwksFile(jwks_file, files) },
      ]),
    ),
    grants: file.grants.map(({ from, to, scopes, max_life, delegation }) => ({
      from,
      to,
      scopes,
      delegation,
      ...(max_life !== undefined && { maxLifeSeconds: max_life / 1000 }),
    })),
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
