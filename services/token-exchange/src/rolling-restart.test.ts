import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { createMesh, privateKeyJwt } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { exportJwk } from '@tokenmesh/token';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from './clients/test-certificate.ts';
import { hasPostgres, startTestPostgres, type TestPostgres } from './record/test-postgres.ts';
import { authenticate, gateway, keyOf, mesh, orders, temporaryDirectory } from './testing.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const { cert, key } = createTestCertificate();
const replicaCount = 3;
/** Clients that exchange all the time, each one exchange after another. Nothing is tried again but by gRPC itself. */
const loadWorkers = 6;

interface Replica {
  readonly name: string;
  port: number;
  process: ChildProcess | undefined;
}

describe.skipIf(!hasPostgres)('a rolling restart of three processes on one PostgreSQL, under load', () => {
  let database: TestPostgres;
  let directory: ReturnType<typeof temporaryDirectory>;
  let replicas: readonly Replica[];
  beforeAll(async () => {
    database = await startTestPostgres();
  });
  afterAll(() => database.remove());
  beforeEach(async () => {
    directory = temporaryDirectory();
    const url = await database.createDatabase();
    replicas = Array.from({ length: replicaCount }, (_, index) => ({ name: `replica-${index}`, port: 0, process: undefined }));
    await Promise.all(replicas.map((replica) => start(replica, url)));
    // the ports that the system gave them are theirs from now on: clients know them
    for (const replica of replicas) configure(replica, url);
  });
  afterEach(async () => {
    for (const replica of replicas) await stop(replica, 'SIGKILL');
    directory.remove();
  });

  const fileOf = ({ name }: Replica) => join(directory.path, name, 'tokenmesh.yaml');

  function configure(replica: Replica, url: string): void {
    const folder = join(directory.path, replica.name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key);
    const document = {
      trust_domain: mesh,
      listen: `127.0.0.1:${replica.port}`,
      tls: { cert: 'cert.pem', key: 'key.pem' },
      store: { postgres: { url } },
      workloads: [{ id: gateway, jwks: { keys: [exportJwk(keyOf(gateway))] } }],
      audiences: [{ id: orders, scopes: ['orders.read'] }],
      grants: [{ from: gateway, to: orders, scopes: ['orders.read'] }],
    };
    writeFileSync(fileOf(replica), JSON.stringify(document)); // JSON is YAML
  }

  /** Starts the process and waits until it listens. */
  async function start(replica: Replica, url?: string): Promise<void> {
    if (url !== undefined) configure(replica, url);
    const child = spawn(process.execPath, [main, '--config', fileOf(replica)], {
      env: { PATH: process.env.PATH, TOKENMESH_KEY_ENCRYPTION_KEY: Buffer.alloc(32, 5).toString('base64') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    replica.process = child;
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    replica.port = await new Promise<number>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const entry = JSON.parse(line) as { event: string; port: number };
        if (entry.event === 'listening') resolve(entry.port);
      });
      child.once('exit', () => reject(new Error(`token-exchange ended: ${stderr}`)));
    });
  }

  async function stop({ process: child }: Replica, signal: NodeJS.Signals): Promise<number | null> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = once(child, 'exit');
    child.kill(signal);
    const [code] = (await ended) as [number | null];
    return code;
  }

  it('fails no exchange, and no workload that joins the mesh meanwhile', { timeout: 60_000 }, async () => {
    const addresses = replicas.map(({ port }) => `127.0.0.1:${port}`);
    const names = replicas.map(({ port }) => `localhost:${port}`);
    const roundRobin = {
      'grpc.ssl_target_name_override': 'localhost',
      'grpc.enable_http_proxy': 0,
      // each worker its own connections: shared ones would hide what happens to the rest
      'grpc.use_local_subchannel_pool': 1,
      // as the mesh does: soon back at a replica that is back
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_500,
      'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    };
    const failed: string[] = [];
    let succeeded = 0;
    let isOver = false;

    const answeredBy = Array.from({ length: loadWorkers }, () => new Set<string>());
    const exchangeUntilOver = async (peers: Set<string>) => {
      const client = new tokenmesh.TokenExchange(`ipv4:${addresses.join(',')}`, credentials.createSsl(cert), roundRobin);
      while (!isOver) {
        const request = { ...authenticate(gateway, Date.now), grant_type: 'client_credentials', audience: orders };
        await new Promise<void>((resolve) => {
          const call = client.exchangeToken(request, { deadline: Date.now() + 10_000 }, (error) => {
            if (error) failed.push(`${error.code} ${error.details}`);
            else {
              succeeded++;
              peers.add(call.getPeer());
            }
            resolve();
          });
        });
      }
      client.close();
    };
    /** Workloads that come up meanwhile: keys, revocations and a token each. */
    let joined = 0;
    const joinUntilOver = async () => {
      while (!isOver) {
        const workload = await createMesh({ self: gateway, tokenExchange: names, credential: privateKeyJwt(keyOf(gateway)), ca: cert });
        workload.client(orders);
        await workload.ready().then(
          () => joined++,
          (error: ServiceError) => failed.push(`joining: ${error.code} ${error.details}`),
        );
        await workload.close();
      }
    };

    const load = [...answeredBy.map(exchangeUntilOver), joinUntilOver()];
    while (succeeded < 100) await new Promise((resolve) => setImmediate(resolve));
    for (const replica of replicas) {
      const before = succeeded;
      expect(await stop(replica, 'SIGTERM')).toBe(0);
      for (const peers of answeredBy) peers.delete(`127.0.0.1:${replica.port}`);
      await start(replica);
      // others answered meanwhile
      expect(succeeded).toBeGreaterThan(before);
      // a client that lost its connection tries again after its backoff: the next replica goes once all clients are back at this one
      while (!answeredBy.every((peers) => peers.has(`127.0.0.1:${replica.port}`))) await new Promise((resolve) => setImmediate(resolve));
    }
    isOver = true;
    await Promise.all(load);
    expect(failed).toEqual([]);
    expect(joined).toBeGreaterThan(0);
  });
});
