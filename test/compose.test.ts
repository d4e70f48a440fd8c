import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { audiences, grants } from '@tokenmesh/shop/demo';
import { DCLinter } from 'dclint';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { createContainer, isConfiguration, sourceOf } from './compose-container.ts';
import { composePath, type Mount, readCompose, root, type Service, startOrder } from './compose-file.ts';
import { runJob } from './compose-job.ts';

const compose = readCompose();
const services = Object.entries(compose.services);
const named = services.map(([name, service]) => ({ name, service }));
const jobs = ['credentials', 'nats-stream'];
/** Nothing in their containers can ask them how they are; why, docker-compose.yml says. */
const withoutHealthcheck = ['customer', 'collector'];

const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-compose-file-'));
beforeAll(() => runJob('credentials', { compose, directory }));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What dclint says of one file; its own types do not resolve here. */
interface Linted {
  readonly messages: readonly { readonly rule: string; readonly message: string }[];
}

/** Problems that dclint finds, but for the order in which it wants things to stand. */
function lint(path: string): readonly string[] {
  const matters = (rule: string) => !/-order$|^require-quotes-in-ports$/.test(rule);
  const results: readonly Linted[] = new DCLinter({ rules: {}, quiet: false, debug: false, exclude: [] }).lintFiles([path], false);
  return results.flatMap(({ messages }) => messages.filter(({ rule }) => matters(rule)).map(({ rule, message }) => `${rule}: ${message}`));
}

describe('docker-compose.yml', () => {
  it('is valid by the schema of the Compose specification', () => {
    expect(lint(composePath)).toEqual([]);
  });

  test('that schema notices a wrong name and a wrong value', () => {
    const wrong = (find: string, put: string) => {
      const path = join(directory, 'docker-compose.yml');
      writeFileSync(path, readFileSync(composePath, 'utf8').replace(find, put));
      return lint(path);
    };
    expect(wrong('cap_drop:', 'cap_dropp:').join()).toContain('invalid-schema');
    expect(wrong('condition: service_healthy', 'condition: service_healty').join()).toContain('invalid-schema');
    expect(wrong('subpath: postgres', 'path: postgres').join()).toContain('invalid-schema');
  });

  it('has the services of both profiles, and each starts after those that it waits for', () => {
    const core = ['credentials', 'postgres', 'nats-1', 'nats-2', 'nats-3', 'nats-stream', 'token-exchange-1', 'token-exchange-2'];
    expect(startOrder(compose, 'core')).toEqual([...core, 'payments', 'orders', 'gateway', 'customer']);
    expect(startOrder(compose, 'observability')).toEqual(['credentials', 'jaeger', 'collector', 'prometheus', 'grafana']);
  });

  test.each(named)('$name waits for nothing that is not started with it, or never gets to where it is waited for', ({ service }) => {
    for (const [dependency, { condition }] of Object.entries(service.depends_on ?? {})) {
      const other = serviceOf(dependency);
      expect(other.profiles).toEqual(expect.arrayContaining([...service.profiles]));
      if (condition === 'service_healthy') expect(other.healthcheck?.test).toBeDefined();
      else expect(jobs).toContain(dependency);
    }
  });

  it('asks for no variable but those that docs/how-to/run-with-compose.md names', () => {
    const variables = [...readFileSync(composePath, 'utf8').matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
    expect(new Set(variables)).toEqual(new Set(['OTEL_SDK_DISABLED']));
    expect(readFileSync(join(root, 'docs/how-to/run-with-compose.md'), 'utf8')).toContain('OTEL_SDK_DISABLED');
  });
});

describe('each container', () => {
  test.each(named)('$name is nobody in particular, changes nothing of its image, and gets no more rights', ({ name, service }) => {
    expect(service.user).toBe('1000:1000');
    expect(service.read_only).toBe(true);
    expect(service.init).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toContain('no-new-privileges:true');
    for (const looser of ['cap_add', 'privileged', 'devices', 'pid', 'ipc', 'userns_mode', 'cgroup', 'extra_hosts', 'env_file']) {
      expect(service).not.toHaveProperty(looser);
    }
    expect(service.restart).toBe(jobs.includes(name) ? 'no' : 'unless-stopped');
    expect(service.stop_grace_period).toMatch(/^\d+s$/);
  });

  test.each(named)('$name has limits for processors, memory and processes, and a /tmp in memory that has one as well', ({ service }) => {
    const { cpus, memory, pids } = service.deploy.resources.limits;
    expect(Number(cpus)).toBeGreaterThan(0);
    expect(memory).toMatch(/^\d+M$/);
    expect(pids).toBeGreaterThan(0);
    expect(service.tmpfs.find((entry) => entry.startsWith('/tmp:'))).toBeDefined();
    for (const entry of service.tmpfs) expect(entry).toMatch(/^\/[\w/]+:mode=1777,size=\d+m$/);
  });

  test.each(named)('$name says how it is, unless it ends by itself or has no program to be asked with', ({ name, service }) => {
    const { healthcheck } = service;
    if (jobs.includes(name) || withoutHealthcheck.includes(name)) expect(healthcheck?.test).toBeUndefined();
    else expect(healthcheck).toMatchObject({ test: expect.arrayContaining(['CMD']), timeout: '5s', retries: 3, start_interval: '1s' });
  });

  test.each(named)('$name is reached from this machine alone, over a port that nobody else has', ({ service }) => {
    const published = (of: Service) => (of.ports ?? []).map((port) => port.split(':').slice(0, 2).join(':'));
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d{4,5}:\d{4,5}$/);
    const all = services.flatMap(([, other]) => published(other));
    expect(new Set(all).size).toBe(all.length);
  });

  test.each(named)('$name is of an image with an exact version, or built here', ({ service }) => {
    expect(service.image).toMatch(/^[\w./-]+:v?\d+\.\d+(\.\d+)?(-\w+)?$/);
    if (service.build) expect(statSync(join(root, 'services', service.build.args.SERVICE)).isDirectory()).toBe(true);
  });

  test.each(named)('$name holds no secret in its environment, and mounts nothing but its own directory of them', ({ name, service }) => {
    for (const [key, value] of Object.entries(service.environment ?? {})) {
      if (/PASSWORD|SECRET|SEED|ENCRYPTION|_KEY/.test(key)) expect(value).toMatch(/^\/(run\/credentials|etc\/nats)\//);
    }
    const mounted = (service.volumes ?? []).filter(({ source }) => source === 'credentials');
    if (name === 'credentials') return;
    expect(mounted).toHaveLength(1);
    const own = { 'nats-stream': 'nats-operator', 'token-exchange-1': 'token-exchange', 'token-exchange-2': 'token-exchange' };
    expect(mounted[0]).toMatchObject({
      read_only: true,
      volume: { nocopy: true, subpath: name in own ? own[name as keyof typeof own] : name },
    }); // it is in own
  });
});

describe('what containers refer to', () => {
  test.each(named)('$name finds every file and directory that it mounts or names', ({ name, service }) => {
    const container = createContainer(name, { compose, directory, portOf: (_, port) => port });
    for (const { type, source, bind, read_only } of service.volumes ?? []) {
      if (type === 'volume') expect(compose.volumes).toHaveProperty(source);
      else expect({ bind, read_only }).toEqual({ bind: { create_host_path: false }, read_only: true });
    }
    for (const path of pathsIn(textsOf(service))) expect(() => statSync(container.path(path)), `${name}: ${path}`).not.toThrow();
    if (!service.build) return;
    const [program = ''] = service.command ?? [];
    expect(program.startsWith(`services/${service.build.args.SERVICE}/`)).toBe(true);
    expect(statSync(join(root, program)).isFile()).toBe(true);
    if (service.healthcheck?.test) expect(statSync(join(root, service.healthcheck.test[2] ?? '')).isFile()).toBe(true);
  });

  test.each(named)('$name shares a network with each host that it names', ({ name, service }) => {
    for (const network of service.networks ?? []) expect(compose.networks).toHaveProperty(network);
    expect(service.networks === undefined).toBe(service.network_mode === 'none');
    for (const host of hostsIn(textsOf(service))) {
      const shared = (serviceOf(host).networks ?? []).filter((network) => service.networks?.includes(network));
      expect(host === name || shared.length > 0, `${name} → ${host}`).toBe(true);
    }
  });

  it('leave no network and no volume unused, and only those for ports of this machine lead anywhere else', () => {
    const used = new Set(services.flatMap(([, { networks = [] }]) => networks));
    expect(used).toEqual(new Set(Object.keys(compose.networks)));
    expect(new Set(services.flatMap(([, { volumes = [] }]) => volumes.filter(isVolume).map(({ source }) => source)))).toEqual(
      new Set(Object.keys(compose.volumes)),
    );
    const open = Object.entries(compose.networks).filter(([, settings]) => settings.internal !== true);
    expect(open.map(([name]) => name)).toEqual(['entrance', 'screens']);
    for (const [name, { networks = [], ports }] of services) {
      expect(networks.includes('entrance') || networks.includes('screens'), name).toBe(ports !== undefined);
    }
  });

  test('PostgreSQL is reached by token-exchange alone, and servers of NATS are among themselves', () => {
    const on = (network: string) => services.filter(([, { networks }]) => networks?.includes(network)).map(([name]) => name);
    expect(on('record')).toEqual(['postgres', 'token-exchange-1', 'token-exchange-2']);
    expect(on('courier-peers')).toEqual(['nats-1', 'nats-2', 'nats-3']);
  });
});

describe('deploy', () => {
  const read = (path: string) => parse(readFileSync(join(root, 'deploy', path), 'utf8'), { merge: true });

  it('gives the shop in containers the audiences and grants of the demo', () => {
    const config = read('token-exchange/tokenmesh.yaml');
    expect(config.audiences).toEqual(audiences);
    expect(config.grants).toEqual(grants);
    const parties = new Set(grants.map(({ from }) => from));
    for (const id of parties) expect(config.workloads.map((workload: { id: string }) => workload.id)).toContain(id);
  });

  it('lets token-exchange alone publish, and each workload listen', () => {
    for (const server of ['nats-1', 'nats-2', 'nats-3']) {
      const users = readFileSync(join(directory, 'volumes/credentials', server, 'users.conf'), 'utf8');
      const roles = [...users.matchAll(/nkey: (U\w{55}), permissions: \{ include permissions\/(\w+)\.conf \}/g)].map(([, key, role]) => [
        role,
        key,
      ]);
      const keyOf = (name: string) => readFileSync(join(directory, 'volumes/credentials', name, 'nats.nkey.pub'), 'utf8');
      const verifiers = ['gateway', 'orders', 'payments', 'customer', 'backoffice', 'operator'].map((name) => ['verifier', keyOf(name)]);
      expect(roles).toEqual([['operator', keyOf('nats-operator')], ['issuer', keyOf('token-exchange')], ...verifiers]);
    }
  });

  it('has NATS write to disk before it acknowledges, and PostgreSQL before it commits', () => {
    const setting = (path: string) => readFileSync(join(root, 'deploy', path), 'utf8');
    expect(setting('nats/nats-cluster.conf')).toMatch(/^include nats-server\.conf$/m);
    expect(setting('nats/nats-server.conf')).toMatch(/^ +sync_interval: always$/m);
    expect(setting('postgres/postgresql.conf')).toMatch(/^synchronous_commit = on$/m);
    expect(setting('postgres/postgresql.conf')).toMatch(/^fsync = on$/m);
    expect(serviceOf('nats-stream').command).toEqual(expect.arrayContaining(['--replicas', '3']));
  });

  it('takes connections from outside with TLS alone', () => {
    expect(readFileSync(join(root, 'deploy/postgres/pg_hba.conf'), 'utf8').match(/^(?!#)\w+/gm)).toEqual(['local', 'hostssl']);
    const tls = { cert_file: '/run/credentials/tls.crt', key_file: '/run/credentials/tls.key' };
    const mutual = { ...tls, client_ca_file: '/run/credentials/ca.crt' };
    for (const file of ['collector/collector.yaml', 'jaeger/jaeger.yaml']) {
      expect(read(file).receivers).toEqual({ otlp: { protocols: { grpc: { endpoint: '0.0.0.0:4317', tls: mutual } } } });
    }
    expect(read('collector/collector.yaml').exporters.otlp_grpc.tls).toMatchObject({ ca_file: mutual.client_ca_file });
    expect(read('jaeger/jaeger.yaml').extensions.jaeger_query.http).toEqual({ endpoint: '0.0.0.0:16686', tls });
    expect(read('prometheus/web.yml').tls_server_config).toEqual({ ...mutual, client_auth_type: 'RequireAndVerifyClientCert' });
    expect(serviceOf('grafana').environment).toMatchObject({ GF_SERVER_PROTOCOL: 'https' });
  });

  it('scrapes every process of the mesh where it shows its metrics', () => {
    const targets = read('prometheus/prometheus.yml').scrape_configs.flatMap(
      (job: { static_configs: readonly { targets: readonly string[] }[] }) => job.static_configs.flatMap((config) => config.targets),
    );
    const shown = services.flatMap(([name, { environment }]) =>
      environment?.OTEL_METRICS_EXPORTER === 'prometheus' ? [`${name}:${environment.OTEL_EXPORTER_PROMETHEUS_PORT}`] : [],
    );
    expect(shown).toHaveLength(6);
    expect(targets).toEqual(expect.arrayContaining(shown));
  });
});

const isVolume = ({ type }: Mount): boolean => type === 'volume';

function serviceOf(name: string): Service {
  const service = compose.services[name];
  if (!service) throw new Error(`there is no service ${name}`);
  return service;
}

/** What a service says, and the configuration that it mounts: from deploy, and what the job made for it. */
function textsOf(service: Service): readonly string[] {
  const mounts = service.network_mode === 'none' ? [] : (service.volumes ?? []).filter(({ read_only }) => read_only);
  const files = mounts.flatMap((mount) => filesIn(sourceOf(mount, directory)).filter((file) => isConfiguration(file)));
  const withoutComments = files.map((file) => readFileSync(file, 'utf8').replace(/^\s*(#|--).*$/gm, ''));
  return [
    ...(service.command ?? []),
    ...Object.values(service.environment ?? {}).map(String),
    ...(service.healthcheck?.test ?? []),
    ...withoutComments,
  ];
}

const filesIn = (path: string): readonly string[] =>
  statSync(path).isFile() ? [path] : readdirSync(path).flatMap((entry) => filesIn(join(path, entry)));

/** Paths below where something is mounted. */
const pathsIn = (texts: readonly string[]): readonly string[] =>
  texts.flatMap((text) => text.match(/(?<![\w/.-])\/(?:run\/credentials|etc\/(?!ssl)|credentials|data|deploy)[\w./-]*/g) ?? []);

const hostsIn = (texts: readonly string[]): readonly string[] => {
  const any = new RegExp(`(?<![\\w.-])(${Object.keys(compose.services).join('|')}):\\d{2,5}(?!\\d)`, 'g');
  return texts.flatMap((text) => [...text.matchAll(any)].map(([, host]) => String(host)));
};
