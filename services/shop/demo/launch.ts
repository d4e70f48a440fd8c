import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMesh, type Mesh } from '@tokenmesh/interceptor';
import { meshOptions } from '../src/environment.ts';
import { createCertificateAuthority } from './certificates.ts';
import { audiences, formatYaml, type Grant, grants, spiffeId, trustDomain } from './configuration.ts';
import type { ManagedProcess } from './managed-process.ts';
import { findNatsServer, type NatsServer, startNatsServer } from './nats-server.ts';
import { type OtlpReceiver, startOtlpReceiver } from './otlp-receiver.ts';
import { address, createStream, startShopService, startTokenExchange } from './services.ts';
import { type WorkloadFiles, writeWorkloadFiles } from './workload-files.ts';

/** Workloads of the shop. The first three are processes; the others are played by whoever starts the shop. */
const workloadNames = ['gateway', 'orders', 'payments', 'customer', 'backoffice', 'operator'] as const;

export interface StartShopOptions {
  /** `false`: no courier, revocations come over gRPC. Default: a real nats-server when one can be found or installed. */
  readonly nats?: NatsServer | false;
  /** Where processes send their traces. Default: a receiver of the shop's own. */
  readonly otlpEndpoint?: string | undefined;
  /** Added to the shop's own grants; one with the same `from` and `to` replaces it. */
  readonly grants?: readonly Grant[];
  /** More workloads, by name, that `mesh` and `workloads` then know. */
  readonly workloads?: readonly string[];
  /** Life of tokens; default `{ life: '5m', ceiling: '15m' }`. */
  readonly tokens?: { readonly life: string; readonly ceiling: string };
  /** Added to the environment of every process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Further settings of `tokenmesh.yaml`, such as `facade` and `limits`. */
  readonly settings?: object;
  /** Told what is being done, in the order in which it is done. */
  readonly report?: (what: string) => void;
  /** Told of a process that ended by itself. */
  readonly onUnexpectedExit?: (process: ManagedProcess, how: string) => void;
}

/**
 * A running shop: processes, and what one needs to take part. Everything listens on 127.0.0.1, on ports the system chose.
 *
 * `await using shop = await startShop()` stops it at the end of the block.
 */
export interface Shop extends AsyncDisposable {
  readonly tokenExchange: ManagedProcess;
  readonly gateway: ManagedProcess;
  readonly orders: ManagedProcess;
  readonly payments: ManagedProcess;
  readonly nats: ManagedProcess | undefined;
  /** The nats-server that runs, or why none does. */
  readonly natsServer: NatsServer;
  /** All of them in the order of their start. */
  readonly processes: readonly ManagedProcess[];
  /** The receiver of everybody's traces; absent when they go to `otlpEndpoint`. */
  readonly otlp: OtlpReceiver | undefined;
  readonly otlpEndpoint: string;
  /** Keys and certificates by the workload's name. */
  readonly workloads: ReadonlyMap<string, WorkloadFiles>;
  /** The certificate authority of all certificates, PEM. */
  readonly caFile: string;
  /** `tokenmesh.yaml`, as token-exchange reads it. */
  readonly configFile: string;
  /** Where keys, configuration, database and logs are; removed by `close`. */
  readonly directory: string;
  /** The environment that a process of this workload runs with; `meshOptions` reads it. */
  environment(name: string): NodeJS.ProcessEnv;
  /** A mesh of this workload's own in this process, ready, for calls to `address(shop.orders)` and the like. Closed with the shop. */
  mesh(name: string): Promise<Mesh>;
  /** Everything that all processes wrote. */
  output(): string;
  /** Ends all processes and removes the directory. A second time it does nothing. */
  close(): Promise<void>;
}

/**
 * Starts the whole sample mesh, each service a process of its own, and resolves when all of them serve.
 *
 * @throws {Error} A process ended before it served; the message ends with its last lines. What was started is stopped.
 */
export async function startShop(options: StartShopOptions = {}): Promise<Shop> {
  const { report = () => {}, tokens = { life: '5m', ceiling: '15m' }, onUnexpectedExit = () => {} } = options;
  await using started = new AsyncDisposableStack();
  const directory = makeDirectory(started);
  const processes: ManagedProcess[] = [];
  const own = async (starting: Promise<ManagedProcess>): Promise<ManagedProcess> => {
    const managed = await starting;
    started.defer(() => managed.stop());
    processes.push(managed);
    return managed;
  };

  report('making keys and certificates');
  const names = [...workloadNames, ...(options.workloads ?? [])];
  const { caFile, encryptionKeyFile, exchange, workloads } = await writeFiles(directory, names);

  const natsServer = options.nats === false ? notWanted : (options.nats ?? (await findNatsServer({ report })));
  let nats: ManagedProcess | undefined;
  if (natsServer.path !== undefined) {
    report(`starting nats-server ${natsServer.version}`);
    nats = await own(startNatsServer({ path: natsServer.path, directory, onUnexpectedExit }));
    await nats.ready();
  }
  const natsUrl = nats && `nats://127.0.0.1:${nats.port}`;

  const otlp = options.otlpEndpoint ? undefined : await startOtlpReceiver();
  if (otlp) started.defer(() => otlp.close());
  const otlpEndpoint = options.otlpEndpoint || (otlp?.endpoint ?? '');
  const tracing: NodeJS.ProcessEnv = {
    OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint,
    ...(otlp && { OTEL_METRICS_EXPORTER: 'none' }), // the shop's own receiver takes traces
    OTEL_BSP_SCHEDULE_DELAY: '200', // milliseconds: a trace is to be seen soon after it happened
    ...options.env,
  };

  const configFile = join(directory, 'tokenmesh.yaml');
  const configure = (port: number) => {
    const settings = {
      trust_domain: trustDomain,
      listen: `127.0.0.1:${port}`,
      tls: { cert: exchange.certFile, key: exchange.tlsKeyFile, client_ca: caFile },
      store: { sqlite: join(directory, 'token-exchange.db') },
      keys: { alg: 'ES256', encryption_key_file: encryptionKeyFile },
      nats: natsUrl && { servers: [natsUrl] },
      tokens,
      workloads: [...workloads.values()].map(({ id, jwksFile }) => ({ id, jwks_file: jwksFile })),
      audiences,
      grants: mergeGrants(options.grants ?? []),
      ...options.settings,
    };
    writeFileSync(configFile, formatYaml(settings));
  };
  configure(0);
  if (nats) {
    report('creating the JetStream stream that carries revocations');
    await createStream(configFile);
  }
  report('starting token-exchange');
  const tokenExchange = await own(startTokenExchange({ directory, configFile, configure, env: tracing, onUnexpectedExit }));

  const environment = (name: string): NodeJS.ProcessEnv => {
    const files = workloads.get(name);
    if (!files) throw new TypeError(`there is no workload ${name}`);
    return {
      ...tracing,
      TOKENMESH_SELF: files.id,
      TOKENMESH_TOKEN_EXCHANGE: address(tokenExchange),
      TOKENMESH_KEY_FILE: files.keyFile,
      TOKENMESH_CA_FILE: caFile,
      TOKENMESH_TLS_CERT_FILE: files.certFile,
      TOKENMESH_TLS_KEY_FILE: files.tlsKeyFile,
      ...(natsUrl && { NATS_URL: natsUrl }),
    };
  };
  const startService = (name: string, next: NodeJS.ProcessEnv) => {
    report(`starting ${name}`);
    return own(startShopService(name, { directory, env: { ...environment(name), ...next }, onUnexpectedExit }));
  };
  // From the last hop to the first, because each is told where the next one listens.
  const payments = await startService('payments', {});
  const orders = await startService('orders', { SHOP_PAYMENTS: address(payments) });
  const gateway = await startService('gateway', { SHOP_ORDERS: address(orders) });
  await Promise.all(processes.map((managed) => managed.ready()));

  const all = started.move();
  const close = () => all.disposeAsync();
  return {
    ...{ tokenExchange, gateway, orders, payments, nats, natsServer, processes },
    ...{ otlp, otlpEndpoint, workloads, caFile, configFile, directory },
    environment,
    mesh: async (name) => {
      const mesh = all.use(await createMesh(meshOptions(environment(name))));
      await mesh.ready();
      return mesh;
    },
    output: () => processes.map(({ output }) => output.stdout + output.stderr).join(''),
    close,
    [Symbol.asyncDispose]: close,
  };
}

const notWanted: NatsServer = { path: undefined, reason: 'it was not wanted' };

function makeDirectory(owner: AsyncDisposableStack): string {
  const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-shop-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  process.once('exit', remove); // when nobody closes the shop first
  owner.defer(() => {
    process.off('exit', remove);
    remove();
  });
  return directory;
}

async function writeFiles(directory: string, names: readonly string[]) {
  const authority = await createCertificateAuthority(trustDomain);
  const caFile = join(directory, 'ca.crt');
  const encryptionKeyFile = join(directory, 'encryption.key');
  await writeFile(caFile, authority.cert);
  await writeFile(encryptionKeyFile, randomBytes(32).toString('base64'), { mode: 0o600 });
  const filesOf = (name: string) => writeWorkloadFiles(join(directory, name), spiffeId(name), authority);
  const workloads = new Map(await Promise.all(names.map(async (name) => [name, await filesOf(name)] as const)));
  return { caFile, encryptionKeyFile, workloads, exchange: await filesOf('token-exchange') };
}

function mergeGrants(more: readonly Grant[]): readonly Grant[] {
  const pair = ({ from, to }: Grant) => `${from} ${to}`;
  return [...new Map([...grants, ...more].map((grant) => [pair(grant), grant])).values()];
}
