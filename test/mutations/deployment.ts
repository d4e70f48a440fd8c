import type { Mutation } from './mutation.ts';

const compose = 'docker-compose.yml';
const composeTest = 'test/compose.test.ts';
const runsTest = 'test/compose-runs.test.ts';
const observabilityTest = 'test/observability-configuration.test.ts';
const of = ['deployment'];

/** Defences of docker-compose.yml, of what it mounts, and of the Dockerfile. */
export const deploymentMutations: readonly Mutation[] = [
  {
    of,
    file: compose,
    find: '  read_only: true\n  cap_drop: [ALL]',
    put: '  read_only: true\n  cap_drop: [NET_RAW]',
    fails: {
      file: composeTest,
      title: '$name is nobody in particular, changes nothing of its image, and gets no more rights',
      case: 'nats-1',
    },
  },
  {
    of,
    file: compose,
    find: 'ports: ["127.0.0.1:7000:7443"]',
    put: 'ports: ["7000:7443"]',
    fails: { file: composeTest, title: '$name is reached from this machine alone, over a port that nobody else has', case: 'gateway' },
  },
  {
    of,
    file: compose,
    find: 'volume: { nocopy: true, subpath: payments }',
    put: 'volume: { nocopy: true, subpath: token-exchange }',
    fails: {
      file: composeTest,
      title: '$name holds no secret in its environment, and mounts nothing but its own directory of them',
      case: 'payments',
    },
  },
  {
    of,
    file: compose,
    find: '    networks: [record, courier, mesh, telemetry, entrance]',
    put: '    networks: [courier, mesh, telemetry, entrance]',
    fails: { file: composeTest, title: '$name shares a network with each host that it names', case: 'token-exchange-1' },
  },
  {
    of,
    file: 'services/shop/compose/write-credentials.ts',
    find: "[name, 'verifier']",
    put: "[name, 'issuer']",
    fails: { file: composeTest, title: 'lets token-exchange alone publish, and each workload listen' },
  },
  {
    of,
    file: 'services/shop/compose/kept-file.ts',
    find: '{ mode: 0o600 }',
    put: '{ mode: 0o644 }',
    fails: { file: 'services/shop/compose/write-credentials.test.ts', title: 'lets nobody but the owner read what is secret' },
  },
  {
    of,
    file: 'services/shop/compose/write-credentials.ts',
    find: 'const peers = `authorization',
    put: 'const peers = `# authorization',
    fails: { file: runsTest, title: 'lets nobody be a server of NATS by a certificate of the mesh alone' },
  },
  {
    of,
    file: 'deploy/postgres/pg_hba.conf',
    find: 'hostssl tokenmesh',
    put: 'host    tokenmesh',
    fails: { file: composeTest, title: 'takes connections from outside with TLS alone' },
  },
  {
    of,
    file: 'Dockerfile',
    find: 'USER 1000:1000',
    put: 'USER root',
    fails: {
      file: 'test/image.test.ts',
      title: 'ends as nobody in particular, takes no secret as an argument, and has a healthcheck whose program is in it',
    },
  },
  {
    of,
    file: 'packages/cli/src/health-command.ts',
    find: "if (status !== 'SERVING') io.exit(1);",
    put: '',
    fails: { file: 'packages/cli/src/health-command.test.ts', title: 'ends with 1 when the server is there and does not serve' },
  },
  {
    of,
    file: 'deploy/collector/collector.yaml',
    find: 'processors: [memory_limiter, batch]',
    put: 'processors: [batch]',
    fails: { file: observabilityTest, title: 'uses every component that it configures, and configures every one that it uses' },
  },
  {
    of,
    file: 'deploy/grafana/provisioning/dashboards/mesh.yaml',
    find: 'path: /etc/tokenmesh/dashboards',
    put: 'path: /etc/tokenmesh/provisioning',
    fails: { file: observabilityTest, title: 'finds its provisioning where it looks for it' },
  },
];
