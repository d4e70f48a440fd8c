import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { refusalOf, unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { genesisHash, openEvent, type Target } from '@tokenmesh/revocation';
import { exportJwk, importJwks } from '@tokenmesh/token';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from './clients/test-certificate.ts';
import { hasPostgres, startTestPostgres, type TestPostgres } from './record/test-postgres.ts';
import { bearerOf } from './test-bearer.ts';
import { authenticate, issuerUrl, keyOf, mesh, operator, own, temporaryDirectory } from './testing.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const { cert, key } = createTestCertificate();
const rounds = 25;
/** Of the moments at which the process is killed; another one finds other moments. */
const seed = Number(process.env.TOKENMESH_TEST_SEED ?? 20261123);

let directory: ReturnType<typeof temporaryDirectory>;
let child: ChildProcess | undefined;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await kill();
  directory.remove();
});

async function kill(): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function configure(store: object): void {
  writeFileSync(join(directory.path, 'cert.pem'), cert);
  writeFileSync(join(directory.path, 'key.pem'), key);
  const document = {
    trust_domain: mesh,
    listen: '127.0.0.1:0',
    tls: { cert: 'cert.pem', key: 'key.pem' },
    store,
    workloads: [{ id: operator, jwks: { keys: [exportJwk(keyOf(operator))] } }],
    audiences: [{ id: 'spiffe://shop.test/orders', scopes: ['orders.read'] }],
    grants: [{ from: operator, to: own, scopes: ['admin.revoke'] }],
  };
  writeFileSync(join(directory.path, 'tokenmesh.yaml'), JSON.stringify(document)); // JSON is YAML
}

/** Starts the service and waits until it listens. */
async function serve() {
  const started = spawn(process.execPath, [main, '--config', join(directory.path, 'tokenmesh.yaml')], {
    env: { PATH: process.env.PATH, TOKENMESH_KEY_ENCRYPTION_KEY: Buffer.alloc(32, 5).toString('base64') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = started;
  let stderr = '';
  started.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: started.stdout }).on('line', (line) => {
      const entry = JSON.parse(line) as { event: string; port: number };
      if (entry.event === 'listening') resolve(entry.port);
    });
    started.once('exit', () => reject(new Error(`token-exchange ended: ${stderr}`)));
  });
  const [address, tls] = [`localhost:${port}`, credentials.createSsl(cert)];
  const exchange = new tokenmesh.TokenExchange(address, tls);
  const admin = new tokenmesh.Admin(address, tls);
  const feed = new tokenmesh.RevocationFeed(address, tls);
  const request = () => ({ ...authenticate(operator, Date.now), grant_type: 'client_credentials', audience: own });
  const options = await bearerOf(exchange, operator);
  return {
    ...{ exchange, admin, feed, request, options },
    close() {
      for (const client of [exchange, admin, feed]) client.close();
    },
  };
}

type Service = Awaited<ReturnType<typeof serve>>;

/** The whole log as the service tells it, every link of its chain checked: targets by position. */
async function readLog({ feed, options }: Service): Promise<ReadonlyMap<number, readonly Target[]>> {
  const keys = importJwks((await unary(feed, 'getFeedKeys', {}, options)).keys);
  const { checkpoint } = await unary(feed, 'checkpoint', { nonce: 'n' }, options);
  const head = JSON.parse(Buffer.from(checkpoint.split('.')[1] ?? '', 'base64url').toString()) as { epoch: string; n: number; h: string };
  const log = new Map<number, readonly Target[]>();
  let prev = genesisHash(head.epoch);
  while (log.size < head.n) {
    const from = log.size + 1;
    for (const compact of (await unary(feed, 'listEvents', { epoch: head.epoch, from, limit: 1000 }, options)).events) {
      const { event, hash } = openEvent(compact, keys, { issuer: issuerUrl, mesh });
      expect([event.n, event.prev]).toEqual([log.size + 1, prev]);
      log.set(event.n, event.targets);
      prev = hash;
    }
  }
  expect(prev).toBe(head.h);
  return log;
}

/** Issues and revokes, several at a time, until the service is gone. */
async function load(service: Service, name: string, onRevoked: () => void) {
  const revoked: { readonly value: string; readonly n: number }[] = [];
  const used: ReturnType<Service['request']>[] = [];
  let sequence = 0;
  const untilGone = async (work: () => Promise<void>) => {
    try {
      for (;;) await work();
    } catch (error) {
      expect(refusalOf(error as ServiceError)).toBeUndefined(); // unary rejects with nothing else: gone, and not refused
    }
  };
  const issue = async () => {
    const request = service.request();
    await unary(service.exchange, 'exchangeToken', request);
    used.push(request);
  };
  const revoke = async () => {
    const value = `spiffe://shop.test/${name}-${sequence++}`;
    const { acknowledgement } = await unary(service.admin, 'addRevocation', { targets: [{ kind: 'subject', value }] }, service.options);
    revoked.push({ value, n: Number(acknowledgement?.n) });
    onRevoked();
  };
  await Promise.all([issue, issue, issue, revoke, revoke, revoke].map(untilGone));
  return { revoked, used };
}

/** Numbers from 0 to 1 that are the same for the same seed (a linear congruential generator; Knuth's MMIX constants, 32 bits of them). */
function createRandom(from: number): () => number {
  let state = BigInt(from);
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) % 2n ** 64n;
    return Number(state >> 32n) / 2 ** 32;
  };
}

async function killAgainAndAgain(): Promise<void> {
  const random = createRandom(seed);
  const acknowledged: { readonly value: string; readonly n: number }[] = [];
  let service = await serve();
  for (let round = 0; round < rounds; round++) {
    const first = Promise.withResolvers<void>();
    const loading = load(service, `r${round}`, first.resolve);
    await first.promise;
    await delay(random() * 60);
    await kill();
    const { revoked, used } = await loading;
    service.close();
    acknowledged.push(...revoked);

    service = await serve();
    const log = await readLog(service);
    const lost = acknowledged.filter(({ value, n }) => !log.get(n)?.some((target) => target.value === value));
    expect(lost, `seed ${seed}, round ${round}`).toEqual([]);
    for (const request of used.slice(-5)) {
      const again = await unary(service.exchange, 'exchangeToken', request).then(
        () => 'accepted',
        (error: ServiceError) => refusalOf(error)?.reason,
      );
      expect(again, `seed ${seed}, round ${round}`).toBe('CLIENT_AUTHENTICATION_FAILED');
    }
  }
  service.close();
  expect(acknowledged.length).toBeGreaterThanOrEqual(rounds);
}

describe(`token-exchange, killed ${rounds} times in the middle of issuing and revoking, loses nothing that it acknowledged`, () => {
  it('F1 over SQLite', { timeout: 300_000 }, async () => {
    configure({ sqlite: 'record.db' });
    await killAgainAndAgain();
  });

  describe.skipIf(!hasPostgres)('with a PostgreSQL', () => {
    let server: TestPostgres;
    beforeAll(async () => {
      server = await startTestPostgres();
    });
    afterAll(() => server.remove());

    it('F1 over PostgreSQL', { timeout: 300_000 }, async () => {
      configure({ postgres: { url: await server.createDatabase() } });
      await killAgainAndAgain();
    });
  });
});
