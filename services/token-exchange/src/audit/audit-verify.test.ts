import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { exportJwk } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from '../clients/test-certificate.ts';
import { authenticate, gateway, keyOf, mesh, orders, temporaryDirectory } from '../testing.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const { cert, key } = createTestCertificate();
let directory: ReturnType<typeof temporaryDirectory>;
let started: ChildProcess[];

beforeEach(() => {
  directory = temporaryDirectory();
  started = [];
  writeFileSync(join(directory.path, 'cert.pem'), cert);
  writeFileSync(join(directory.path, 'key.pem'), key);
  const document = {
    trust_domain: mesh,
    listen: '127.0.0.1:0',
    tls: { cert: 'cert.pem', key: 'key.pem' },
    store: { sqlite: 'record.db' },
    audit: { keep: '30d' },
    workloads: [{ id: gateway, jwks: { keys: [exportJwk(keyOf(gateway))] } }],
    audiences: [{ id: orders, scopes: ['orders.read'] }],
    grants: [{ from: gateway, to: orders, scopes: ['orders.read'] }],
  };
  writeFileSync(join(directory.path, 'tokenmesh.yaml'), JSON.stringify(document)); // JSON is YAML
});
afterEach(async () => {
  for (const child of started) await kill(child);
  directory.remove();
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function run(...args: string[]) {
  const child = spawn(process.execPath, [main, ...args, '--config', join(directory.path, 'tokenmesh.yaml')], {
    env: { PATH: process.env.PATH, TOKENMESH_KEY_ENCRYPTION_KEY: Buffer.alloc(32, 5).toString('base64') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  return child;
}

/** A service that listens. */
async function serve(): Promise<{ child: ChildProcess; port: number }> {
  const child = run();
  for await (const line of createInterface({ input: child.stdout })) {
    const entry = JSON.parse(line) as { event: string; port: number };
    if (entry.event !== 'listening') continue;
    child.stdout.resume();
    return { child, port: entry.port };
  }
  throw new Error('token-exchange ended');
}

async function verify(): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = run('audit-verify');
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, stdout, stderr };
}

function tamper(statement: string): void {
  const database = new DatabaseSync(join(directory.path, 'record.db'));
  database.exec(statement);
  database.close();
}

describe('the command audit-verify', () => {
  it('F1 finds the audit whole beside a service that runs, and after it was killed in the middle of issuing', async () => {
    const { child, port } = await serve();
    const client = new tokenmesh.TokenExchange(`localhost:${port}`, credentials.createSsl(cert));
    const issue = () =>
      unary(client, 'exchangeToken', { ...authenticate(gateway, Date.now), grant_type: 'client_credentials', audience: orders });
    await issue();
    expect(await verify()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/chain 1 holds up to \d+: \S+\nthe audit holds: \d+ events\n$/),
    });
    let issued = 0;
    const flood = Array.from({ length: 400 }, () => issue().then(() => issued++));
    await Promise.race(flood);
    await kill(child);
    await Promise.allSettled(flood);
    client.close();
    expect(await verify()).toMatchObject({ code: 0, stderr: '' });
    const database = new DatabaseSync(join(directory.path, 'record.db'), { readOnly: true });
    const count = database.prepare("SELECT count(*) AS n FROM audit_events WHERE kind = 'token.issued'").get()?.n;
    database.close();
    expect(count).toBeGreaterThanOrEqual(issued + 1);
  });

  it('says where a chain breaks, and exits with 1', async () => {
    await kill((await serve()).child);
    tamper("UPDATE audit_events SET who = 'nobody' WHERE seq = 2");
    expect(await verify()).toEqual({
      code: 1,
      stdout:
        'chain 1 breaks at 2: the event was changed, or does not follow the one before it\nthe audit was tampered with: 1 chains do not hold\n',
      stderr: '',
    });
  });

  it('says so when there is no record', async () => {
    expect(await verify()).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/record\.db: cannot be read as a record with an audit/),
    });
  });
});
