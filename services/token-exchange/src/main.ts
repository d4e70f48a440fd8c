import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { setLogger } from '@grpc/grpc-js';
import { exportJwk, importSigningKey, type Jwk } from '@tokenmesh/token';
import { describeAudit, verifyAuditOf } from './audit/audit-verify.ts';
import { hashClientSecret } from './clients/client-secret.ts';
import { type Config, loadConfig } from './config/config.ts';
import { ConfigError } from './config/config-problem.ts';
import { watchConfig } from './config/config-watcher.ts';
import { createProblemLog, type EventLog } from './event-log.ts';
import { KeyEncryptionError, readKeyEncryption } from './keys/key-encryption.ts';
import { KeyRingError, openKeyRing } from './keys/keys.ts';
import { limitLog } from './limited-log.ts';
import { PostgresError } from './record/postgres-error.ts';
import { openSqliteStore, StoreRestoredError } from './record/sqlite.ts';
import { StoreInUseError } from './record/sqlite-fence.ts';
import type { Store } from './record/store.ts';
import { beginEpoch } from './revocation/begin-epoch.ts';
import { createCourier } from './revocation/courier.ts';
import { startTokenExchange } from './server.ts';
import { createServiceLog } from './service-log.ts';
import { startTelemetry } from './telemetry.ts';

const usage = `Usage: token-exchange [command] [--config tokenmesh.yaml]

Commands:
  (none)        serve until SIGTERM or SIGINT; the configuration is loaded again when it changes, and on SIGHUP
  check         say what is wrong with the configuration, exit 1 if anything is
  jwks FILE     write the public half of a private key (PKCS#8 PEM) as the JWK set that registers its workload
  client-secret read a client secret from standard input and write the hash that registers it; for development
  audit-verify  verify the chains of the audit, say where they break, exit 1 if one does
  begin-epoch   after the record was restored from a backup: revoke everything that was ever issued, and begin a new epoch of the log
  nats-stream   create the JetStream stream that carries revocations, or bring it to its configuration

Options:
  --config      the configuration; default tokenmesh.yaml
  --replicas    nats-stream: copies of the stream in a cluster of NATS, 1 to 5; default 1
  --help        this text

Environment:
  TOKENMESH_KEY_ENCRYPTION_KEY, TOKENMESH_KEY_ENCRYPTION_KEY_FILE   32 bytes in base64 that encrypt the signing keys at rest
  OTEL_EXPORTER_OTLP_ENDPOINT                                       where traces and metrics go; unset: nowhere
  OTEL_METRICS_EXPORTER                                             otlp, prometheus or none; default otlp where there is an endpoint
  OTEL_EXPORTER_PROMETHEUS_HOST, OTEL_EXPORTER_PROMETHEUS_PORT      where Prometheus scrapes; default 127.0.0.1:9464
`;

/** Commands with the number of files that they take. */
const commands: ReadonlyMap<string, number> = new Map([
  ['serve', 0],
  ['check', 0],
  ['jwks', 1],
  ['client-secret', 0],
  ['nats-stream', 0],
  ['begin-epoch', 0],
  ['audit-verify', 0],
]);

/** Errors whose text is written for the operator: no stack helps. */
const operatorErrors = [ConfigError, KeyEncryptionError, KeyRingError, StoreInUseError, StoreRestoredError, PostgresError];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      config: { type: 'string', default: 'tokenmesh.yaml' },
      replicas: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  });
  const [command = 'serve', ...files] = positionals;
  if (values.help) return void process.stdout.write(usage);
  if (!commands.has(command) || files.length !== commands.get(command)) throw new ConfigError([`unknown command or arguments\n\n${usage}`]);
  if (command === 'jwks') return printJwks(String(files[0]));
  if (command === 'client-secret') return await printClientSecretHash();

  const config = loadConfig(values.config);
  if (command === 'check') return void process.stdout.write(`${values.config}: in order\n`);
  if (command === 'nats-stream') return await createStream(config, values.config, values.replicas);
  if (command === 'begin-epoch') return await beginEpochIn(config);
  if (command === 'audit-verify') return await printVerifiedAudit(config);
  await serve(config, values.config);
}

function printJwks(file: string): void {
  let jwk: Jwk;
  try {
    jwk = exportJwk(importSigningKey(readFileSync(file)));
  } catch (error) {
    throw new ConfigError([`${file}: ${(error as Error).message}`]); // file system and importSigningKey throw Errors only, without key bytes
  }
  process.stdout.write(`${JSON.stringify({ keys: [jwk] })}\n`);
}

/** From standard input: arguments are for every user of the machine to see. */
async function printClientSecretHash(): Promise<void> {
  const secret = (await text(process.stdin)).replace(/\r?\n$/, '');
  try {
    process.stdout.write(`${await hashClientSecret(secret)}\n`);
  } catch (error) {
    throw new ConfigError([`standard input: ${(error as Error).message}`]); // hashClientSecret throws TypeErrors only, without the secret
  }
}

async function createStream(config: Config, file: string, replicas: string): Promise<void> {
  if (!/^[1-5]$/.test(replicas)) throw new ConfigError([`--replicas: "${replicas}", expected a number from 1 to 5`]);
  if (!config.nats) throw new ConfigError([`${file}:1:1: nats: missing, expected the servers of a NATS that is to carry revocations`]);
  const { createRevocationStream } = await import('@tokenmesh/revocation/nats');
  await createRevocationStream({ ...config.nats, replicas: Number(replicas) });
  process.stdout.write('the stream is there\n');
}

async function serve(config: Config, file: string): Promise<void> {
  const log = createServiceLog('token-exchange', process.env.TOKENMESH_LOG_LEVEL || undefined);
  const stopping = stopSignal(log);
  const encryption = readKeyEncryption(process.env, config.keys.encryptionKeyFile);
  const opened = new AsyncDisposableStack();
  redactGrpcLog(opened.adopt(limitLog(log), (limited) => limited.close()));
  try {
    const { metricsUrl } = opened.adopt(await startTelemetry('token-exchange'), (telemetry) => telemetry.close());
    const store = opened.adopt(await openStore(config.store), (open) => open.close());
    const publisher = config.nats && opened.adopt(openCourier(config.nats, log), (courier) => courier.close());
    const server = await startTokenExchange({ config, store, encryption, log, ...(publisher && { publisher }) });
    const { host } = config.listen;
    log.info({
      event: 'listening',
      host,
      port: server.port,
      ...(server.facadePort && { facade_port: server.facadePort }),
      ...(metricsUrl && { metrics: metricsUrl }),
      issuer: config.issuer,
      audience: config.audience,
      pid: process.pid,
    });
    const watcher = watchConfig(file, { inForce: config, apply: server.applyConfig, log });
    process.on('SIGHUP', () => watcher.reload());
    const signal = await stopping;
    log.info({ event: 'stopping', signal });
    await watcher.close();
    await server.close();
  } finally {
    await opened.disposeAsync();
  }
  log.info({ event: 'stopped' });
}

async function beginEpochIn(config: Config): Promise<void> {
  const encryption = readKeyEncryption(process.env, config.keys.encryptionKeyFile);
  const store = await openStore(config.store, { acceptRestored: true });
  try {
    const keys = await openKeyRing({ store, encryption, alg: config.keys.alg, now: Date.now });
    const { issuer, trustDomain: mesh, tokens } = config;
    const { epoch, n } = await beginEpoch({ store, keys, issuer, mesh, ceilingSeconds: tokens.ceilingSeconds, now: Date.now, newId });
    process.stdout.write(`epoch ${epoch} begins at ${n}: everything that was issued before is revoked\n`);
  } finally {
    await store.close();
  }
}

async function printVerifiedAudit(config: Config): Promise<void> {
  const verified = await verifyAuditOf(config.store, newId);
  process.stdout.write(describeAudit(verified));
  if (verified.breaks.length > 0) process.exitCode = 1;
}

/** The clients of PostgreSQL and of NATS are loaded where there is one: what a process does not use does not delay its start. */
async function openStore(store: Config['store'], { acceptRestored = false } = {}): Promise<Store> {
  if (!('postgres' in store)) return await openSqliteStore(store.sqlite, { newId, acceptRestored });
  const { openPostgresStore } = await import('./record/postgres.ts');
  return await openPostgresStore(store.postgres, { newId });
}

function newId(): string {
  return randomBytes(16).toString('base64url');
}

function openCourier(options: NonNullable<Config['nats']>, log: EventLog) {
  const reportProblem = createProblemLog(log, Date.now);
  const report = (problem: unknown) => reportProblem('courier.problem', problem);
  const open = async () => {
    const { natsPublisher } = await import('@tokenmesh/revocation/nats');
    return await natsPublisher({ ...options, name: 'token-exchange', report });
  };
  return createCourier('nats', open, report);
}

/** Resolves with the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(log: EventLog): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (stopping) {
        log.warn({ event: 'ended_at_once', signal });
        process.exit(signal === 'SIGINT' ? 130 : 143);
      }
      stopping = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/** grpc-js writes header values that it cannot use, tokens among them, into its log: only that there was something is passed on. */
function redactGrpcLog(log: EventLog): void {
  const redacted = () => log.warn({ event: 'grpc.message', detail: 'withheld: it may hold header values' });
  setLogger({ error: redacted, info: redacted, debug: redacted });
}

try {
  await main();
} catch (error) {
  const isForOperator =
    operatorErrors.some((type) => error instanceof type) || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${isForOperator ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
  process.exitCode = 1;
}
