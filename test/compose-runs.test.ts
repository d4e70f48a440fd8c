import { execFile, execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { createMesh, type Mesh, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { shop } from '@tokenmesh/proto/shop';
import { findNatsServer, type ManagedProcess, meshOptions, spiffeId, startProcess, trustDomain, verdictOf } from '@tokenmesh/shop/demo';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Container, type ContainerHost, checkHealth, createContainer } from './compose-container.ts';
import { readCompose, root, startOrder } from './compose-file.ts';
import { tokensIn } from './tokens-in.ts';

const run = promisify(execFile);
const postgresBin = process.env.TOKENMESH_POSTGRES_BIN ?? '';
const natsServer = process.env.TOKENMESH_NATS_SERVER ?? '';
const askAgainMs = 200;
const healthLimitMs = 60_000;

// docker-compose.yml without containers: its commands as processes of this machine, with the environment, files and healthchecks that it gives them.
describe.skipIf(!postgresBin || !natsServer)('the profile core of docker-compose.yml, as processes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-compose-'));
  const compose = readCompose({ OTEL_SDK_DISABLED: 'true' });
  const order = startOrder(compose, 'core');
  const stack = new AsyncDisposableStack();
  const containers = new Map<string, Container>();
  const processes = new Map<string, ManagedProcess>();
  const ended: string[] = [];

  beforeAll(async () => {
    stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    chmodSync(directory, 0o711); // PostgreSQL's user has to get to what is his
    for (const volume of Object.keys(compose.volumes)) mkdirSync(join(directory, 'volumes', volume), { recursive: true });
    const host = await createHost();
    const started = new Map<string, Promise<void>>();
    for (const name of order) {
      const before = Object.keys(compose.services[name]?.depends_on ?? {}).map((dependency) => started.get(dependency));
      started.set(
        name,
        Promise.all(before).then(() => start(name, host)),
      );
    }
    const results = await Promise.allSettled(started.values());
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }, 90_000);
  afterAll(async () => {
    for (const name of [...processes.keys()].reverse()) await processes.get(name)?.stop();
    await stack.disposeAsync();
  });

  async function createHost(): Promise<ContainerHost> {
    const free = await freePorts(order.length * 3);
    const ports = new Map<string, number>();
    const { version } = { version: '', ...(await findNatsServer()) };
    const server = /^2\.9\./.test(version) ? 'nats-server-2.9.conf' : 'nats-server.conf';
    const host: ContainerHost = {
      compose,
      directory,
      portOf(name, inside) {
        const key = `${name}:${inside}`;
        const port = ports.get(key) ?? free.pop();
        if (port === undefined) throw new Error('more ports are needed');
        ports.set(key, port);
        return port;
      },
      ownerOf: (name) => (name === 'postgres' ? postgresUser() : undefined),
      edit(name, path, text) {
        if (path.endsWith('nats-cluster.conf')) return text.replace('include nats-server.conf', `include ${server}`);
        if (!path.endsWith('postgresql.conf')) return text;
        return text
          .replace("listen_addresses = '*'", "listen_addresses = '127.0.0.1'")
          .replace('port = 5432', `port = ${host.portOf(name, 5432)}`);
      },
    };
    return host;
  }

  /** Starts one, and resolves when those that wait for it may start. */
  async function start(name: string, host: ContainerHost): Promise<void> {
    const container = createContainer(name, host);
    containers.set(name, container);
    const { service, command, env } = container;
    const [file = '', ...args] = command;
    if (service.restart === 'no') {
      const { stdout, stderr } = await run(file, args, { cwd: root, env: { PATH: process.env.PATH, ...env } });
      ended.push(stdout + stderr);
      return;
    }
    if (name === 'postgres') await setUpDatabase(container);
    const managed = await startProcess({
      ...{ name, logFile: join(directory, `${name}.log`) },
      ...processOf(container),
      read: () => ({ port: 1, ready: true }), // it runs; whether it serves, its healthcheck says
    });
    processes.set(name, managed);
    if (service.healthcheck?.test) await untilHealthy(container, managed);
  }

  function processOf({ name, command, env }: Container): Pick<Parameters<typeof startProcess>[0], 'kind' | 'command'> {
    const [file = '', ...args] = command;
    const environment = { PATH: process.env.PATH, ...env };
    const of = (program: string, more: readonly string[]) => () => ({ file: program, args: more, env: environment, cwd: root });
    if (name === 'postgres') {
      const [program = '', ...rest] = asPostgresUser([join(postgresBin, file), ...args, ...postgresPlaces(name)]);
      return { kind: 'program', command: of(program, rest) };
    }
    if (file === 'nats-server') return { kind: 'program', command: of(natsServer, args) };
    return { kind: 'node', command: of(join(root, args[0] ?? ''), args.slice(1)) };
  }

  async function untilHealthy(container: Container, managed: ManagedProcess): Promise<void> {
    const startedAt = performance.now();
    for (;;) {
      try {
        return await checkHealth(container, { cwd: root, env: { PATH: `${postgresBin}:${process.env.PATH}` } });
      } catch (error) {
        if (!managed.running || performance.now() - startedAt > healthLimitMs) {
          throw new Error(`${container.name} does not become healthy: ${readFileSync(managed.logFile, 'utf8').slice(0, 6_000)}`, {
            cause: error,
          });
        }
      }
      await delay(askAgainMs);
    }
  }

  /** What the image says by PGDATA, and Debian's build of its sockets. */
  function postgresPlaces(name: string): readonly string[] {
    const at = containers.get(name)?.path ?? String;
    return ['-D', at('/var/lib/postgresql/18/docker'), '-c', `unix_socket_directories=${at('/var/run/postgresql')}`];
  }

  /** What the image's entry point does on an empty volume. */
  async function setUpDatabase(container: Container): Promise<void> {
    const { name, path, env, command } = container;
    const data = path('/var/lib/postgresql/18/docker');
    const sockets = path('/var/run/postgresql');
    const asUser = async (...all: readonly string[]) => {
      const [program = '', ...args] = asPostgresUser(all);
      await run(program, args, {
        cwd: '/',
        env: { PATH: process.env.PATH, PGPASSWORD: readFileSync(String(env.POSTGRES_PASSWORD_FILE), 'utf8') },
      });
    };
    const bin = (program: string) => join(postgresBin, program);
    const initdb = String(env.POSTGRES_INITDB_ARGS).split(' ');
    await asUser(bin('initdb'), '-D', data, '-U', 'postgres', `--pwfile=${env.POSTGRES_PASSWORD_FILE}`, '--no-sync', ...initdb);
    const options = [...command.slice(1), ...postgresPlaces(name).slice(2), '-c', 'listen_addresses=']
      .map((option) => `'${option}'`)
      .join(' ');
    await asUser(bin('pg_ctl'), '-D', data, '-w', '-s', '-l', join(path('/tmp'), 'first.log'), '-o', options, 'start');
    const port = String(container.translate('localhost:5432').split(':')[1]);
    const script = path('/docker-entrypoint-initdb.d/create-record.sql');
    await asUser(bin('psql'), '-h', sockets, '-p', port, '-U', 'postgres', '-q', '-f', script);
    await asUser(bin('pg_ctl'), '-D', data, '-w', '-s', '-m', 'fast', 'stop');
  }

  const containerOf = (name: string): Container => {
    const container = containers.get(name);
    if (!container) throw new Error(`${name} did not start`);
    return container;
  };
  const addressOf = (name: string) => containerOf(name).translate(`${name}:7443`);

  /** A mesh in this process of a workload that has credentials, as those of the file are configured. */
  async function enter(name: string): Promise<Mesh> {
    const own = join(directory, 'volumes/credentials', name);
    const { env, path } = containerOf('gateway');
    const options = Object.entries(env).map(([key, value]) => [key, value?.replace(path('/run/credentials'), own)]);
    const mesh = stack.use(await createMesh(meshOptions({ ...Object.fromEntries(options), TOKENMESH_SELF: spiffeId(name) })));
    await mesh.ready();
    return mesh;
  }

  it('takes an order over three hops, with a token for each', async () => {
    const customer = await enter('customer');
    const gateway = new shop.Gateway(addressOf('gateway'), customer.channelCredentials(), customer.client(spiffeId('gateway')));
    stack.defer(() => gateway.close());
    const { chain, charge_id } = await unary(gateway, 'placeOrder', { item: 'tea', quantity: 2 });
    expect(chain).toEqual(['customer', 'orders', 'gateway'].map(spiffeId));
    expect(charge_id).not.toBe('');
    await expect.poll(() => processes.get('customer')?.output.stdout, { timeout: 10_000 }).toContain('"event":"ordered"');
  });

  it('ends a stream when the other replica of token-exchange takes back what it was opened with', async () => {
    const backoffice = await enter('backoffice');
    const operator = await enter('operator');
    const payments = new shop.Payments(addressOf('payments'), backoffice.channelCredentials(), backoffice.client(spiffeId('payments')));
    stack.defer(() => payments.close());
    const watch = payments.watchCharges({});
    const end = once(watch, 'end').then(
      () => 'without a reason',
      (error: unknown) => verdictOf(error),
    );
    watch.on('data', () => {});
    await once(watch, 'metadata');

    for (const replica of ['token-exchange-1', 'token-exchange-2']) {
      const admin = new tokenmesh.Admin(addressOf(replica), operator.channelCredentials(), operator.client(spiffeId('token-exchange')));
      stack.defer(() => admin.close());
      await unary(admin, 'suspendWorkload', { client_id: spiffeId('backoffice'), request_id: 'takes the stream back' });
    }
    expect(await end).toBe('UNAUTHENTICATED TOKEN_REVOKED');
  });

  it('keeps the stream of revocations three times', async () => {
    const monitor = containerOf('nats-1').translate('http://127.0.0.1:8222/jsz?streams=true&config=true');
    const stats = (await (await fetch(monitor)).json()) as {
      readonly account_details: readonly { readonly stream_detail: readonly { readonly name: string; readonly config: object }[] }[];
    };
    const streams = stats.account_details.flatMap(({ stream_detail }) => stream_detail);
    expect(streams).toEqual([
      expect.objectContaining({ name: 'tokenmesh_shop_test_revocation', config: expect.objectContaining({ num_replicas: 3 }) }),
    ]);
  });

  it('passes tokenmesh doctor: nobody but token-exchange may publish, and record and stream agree', async () => {
    const credentials = join(directory, 'volumes/credentials');
    const at = (...path: readonly string[]) => join(credentials, ...path);
    const { env } = containerOf('payments');
    const flags = {
      ...{
        nats: String(env.NATS_URL),
        mesh: trustDomain,
        'verifier-nkey': at('payments/nats.nkey'),
        'issuer-nkey': at('token-exchange/nats.nkey'),
      },
      monitor: containerOf('nats-1').translate('http://127.0.0.1:8222'),
      ...{ 'token-exchange': addressOf('token-exchange-2'), self: spiffeId('operator'), 'assertion-key': at('operator/assertion.key') },
      ...{ ca: at('operator/ca.crt'), cert: at('operator/tls.crt'), key: at('operator/tls.key') },
    };
    const args = [
      'packages/cli/src/main.ts',
      'doctor',
      '-o',
      'json',
      ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
    ];
    const { stdout } = await run(process.execPath, args, { cwd: root, env: { PATH: process.env.PATH } }).catch(
      (error: { stdout: string }) => error,
    );
    const { findings } = JSON.parse(stdout) as {
      readonly findings: readonly { readonly check: string; readonly status: string; readonly says: string }[];
    };
    expect(findings.filter(({ status }) => status === 'failed')).toEqual([]);
    const passed = new Set(findings.filter(({ status }) => status === 'ok').map(({ check }) => check));
    for (const check of [
      'nats.tls',
      'nats.anonymous',
      'nats.peers',
      'verifier.publish',
      'verifier.jetstream',
      'issuer.jetstream',
      'token-exchange.stream',
    ]) {
      expect(passed).toContain(check);
    }
  });

  it('lets nobody be a server of NATS by a certificate of the mesh alone', async () => {
    const [host, port] = containerOf('nats-2').translate('nats-2:6222').split(':');
    const own = (file: string) => readFileSync(join(directory, 'volumes/credentials/payments', file));
    const socket = connect({ host, port: Number(port), ca: own('ca.crt'), cert: own('tls.crt'), key: own('tls.key') });
    stack.defer(() => void socket.destroy());
    const [info] = (await once(socket, 'data')) as [Buffer];
    expect(JSON.parse(info.toString().slice('INFO '.length))).toMatchObject({
      server_name: 'nats-2',
      auth_required: true,
      tls_verify: true,
    });
  });

  it('goes on without one replica of token-exchange and one server of NATS', async () => {
    await Promise.all([processes.get('token-exchange-1')?.kill(), processes.get('nats-1')?.kill()]);
    const customer = await enter('customer');
    const gateway = new shop.Gateway(addressOf('gateway'), customer.channelCredentials(), customer.client(spiffeId('gateway')));
    stack.defer(() => gateway.close());
    const { charge_id } = await unary(gateway, 'placeOrder', { item: 'tea', quantity: 1 });
    expect(charge_id).not.toBe('');
  });

  it('stops in order when told to, and wrote no secret', async () => {
    await processes.get('token-exchange-2')?.stop();
    expect(processes.get('token-exchange-2')?.output.stdout).toContain('"event":"stopped"');
    const written = [...ended, ...[...processes.values()].map(({ output }) => output.stdout + output.stderr)].join('');
    expect(written).toContain('credentials are there');
    expect(tokensIn(written)).toEqual([]);
    for (const name of [
      'postgres/superuser.password',
      'postgres/token-exchange.password',
      'token-exchange/encryption.key',
      'payments/nats.nkey',
    ]) {
      expect(written).not.toContain(readFileSync(join(directory, 'volumes/credentials', name), 'utf8').trim());
    }
  });
});

/**
 * Ports that are free: configurations have to name them before anybody listens. They are below those that systems choose for whoever asks for any, so
 * that nobody is given one of them meanwhile.
 */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(16_000, 32_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) =>
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)),
    );
    if (isFree) await new Promise((resolve) => server.close(resolve));
    if (isFree) ports.add(port);
  }
  return [...ports];
}

/** PostgreSQL refuses root: then its own user, which its packages create, runs it. */
function postgresUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function asPostgresUser(command: readonly string[]): readonly string[] {
  const user = postgresUser();
  return user ? ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', ...command] : command;
}
