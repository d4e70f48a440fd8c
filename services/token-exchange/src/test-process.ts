// token-exchange as a process of its own, for tests that kill it, race several of it, or take the ground from under it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ClientOptions, credentials, Metadata } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import { type ExchangeTokenRequest, tokenmesh } from '@tokenmesh/proto';
import { exportJwk } from '@tokenmesh/token';
import { createTestCertificate } from './clients/test-certificate.ts';
import { authenticate, gateway, keyOf, mesh, operator, orders, own } from './testing.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const { cert, key } = createTestCertificate();

export type LogLine = Readonly<Record<string, unknown>>;

export interface TestProcess {
  readonly pid: number;
  readonly port: number;
  /** The first lines of its log that match, once there are so many; default one. */
  logged(matches: (line: LogLine) => boolean, count?: number): Promise<readonly LogLine[]>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/**
 * Writes the configuration of a mesh in which the gateway may go on with what it was granted at orders (`refresh`), and an operator may do everything.
 *
 * @returns The file.
 */
export function writeTestConfig(directory: string, store: object): string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'cert.pem'), cert);
  writeFileSync(join(directory, 'key.pem'), key);
  const document = {
    trust_domain: mesh,
    listen: '127.0.0.1:0',
    tls: { cert: 'cert.pem', key: 'key.pem' },
    store,
    workloads: [gateway, orders, operator].map((id) => ({ id, jwks: { keys: [exportJwk(keyOf(id))] } })),
    audiences: [{ id: orders, scopes: ['orders.read', 'orders.write'] }],
    grants: [
      { from: gateway, to: orders, scopes: ['orders.read', 'orders.write'], refresh: true },
      { from: operator, to: own, scopes: ['admin.read', 'admin.revoke'] },
    ],
  };
  const file = join(directory, 'tokenmesh.yaml');
  writeFileSync(file, JSON.stringify(document)); // JSON is YAML
  return file;
}

/** Starts the service and waits until it listens. */
export async function startTestProcess(configFile: string): Promise<TestProcess> {
  const child = spawn(process.execPath, [main, '--config', configFile], {
    env: { PATH: process.env.PATH, TOKENMESH_KEY_ENCRYPTION_KEY: Buffer.alloc(32, 5).toString('base64') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: LogLine[] = [];
  const onLine = new Set<() => void>();
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = JSON.parse(line) as LogLine;
      log.push(entry);
      if (entry.event === 'listening') resolve(Number(entry.port));
      for (const listener of onLine) listener();
    });
    child.once('exit', () => reject(new Error(`token-exchange ended: ${stderr}`)));
  });
  return {
    ...{ pid: Number(child.pid), port, kill: () => kill(child) },
    logged: (matches, count = 1) =>
      new Promise((resolve) => {
        const look = () => {
          const found = log.filter(matches);
          if (found.length < count) return;
          onLine.delete(look);
          resolve(found.slice(0, count));
        };
        onLine.add(look);
        look();
      }),
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Calls one process, or several of them in turn, as the workloads of `writeTestConfig`. */
export function connect(...processes: readonly TestProcess[]) {
  const address = `ipv4:${processes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  const options: ClientOptions = {
    'grpc.ssl_target_name_override': 'localhost',
    'grpc.enable_http_proxy': 0,
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  };
  const tls = credentials.createSsl(cert);
  const exchange = new tokenmesh.TokenExchange(address, tls, options);
  const admin = new tokenmesh.Admin(address, tls, options);
  const feed = new tokenmesh.RevocationFeed(address, tls, options);
  const ask = (clientId: string, parameters: Partial<ExchangeTokenRequest>) =>
    unary(exchange, 'exchangeToken', { ...authenticate(clientId, Date.now), ...parameters });
  return {
    ...{ exchange, admin, feed, ask },
    /** A token with a refresh token. */
    begin: () => ask(gateway, { grant_type: 'client_credentials', audience: orders }),
    refresh: (refresh_token: string, scope = '') => ask(gateway, { grant_type: 'refresh_token', refresh_token, scope }),
    introspect: (token: string) => unary(exchange, 'introspectToken', { ...authenticate(orders, Date.now), token }),
    /** What the operator calls the Admin API and the feed with. */
    async bearer(): Promise<{ metadata: Metadata }> {
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${(await ask(operator, { grant_type: 'client_credentials', audience: own })).access_token}`);
      return { metadata };
    },
    close() {
      for (const client of [exchange, admin, feed]) client.close();
    },
  };
}

export type Connection = ReturnType<typeof connect>;
