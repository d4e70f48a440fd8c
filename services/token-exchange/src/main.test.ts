import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { credentials, status } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import { tokenmesh } from '@tokenmesh/proto';
import { exportJwk, exportSigningKey } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCertificate } from './clients/test-certificate.ts';
import { authenticate, gateway, keyOf, orders, temporaryDirectory } from './testing.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const { cert, key } = createTestCertificate();
const encryptionKey = Buffer.alloc(32, 5).toString('base64');
let directory: ReturnType<typeof temporaryDirectory>;
let started: ChildProcess[];

beforeEach(() => {
  directory = temporaryDirectory();
  started = [];
  configure();
});
afterEach(async () => {
  for (const child of started) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  directory.remove();
});

const config = () => join(directory.path, 'tokenmesh.yaml');

function configure(more = ''): void {
  writeFileSync(join(directory.path, 'cert.pem'), cert);
  writeFileSync(join(directory.path, 'key.pem'), key);
  writeFileSync(join(directory.path, 'jwks.json'), JSON.stringify({ keys: [exportJwk(keyOf(gateway))] }));
  writeFileSync(
    config(),
    `trust_domain: shop.test
listen: 127.0.0.1:0
tls: { cert: cert.pem, key: key.pem }
store: { sqlite: record.db }
workloads:
  - { id: "${gateway}", jwks_file: jwks.json }
audiences:
  - { id: "${orders}", scopes: [orders.read] }
grants:
  - { from: "${gateway}", to: "${orders}", scopes: [orders.read] }
${more}`,
  );
}

interface Run {
  readonly child: ChildProcess;
  readonly output: string[];
  /** The first log line with this event. */
  event(name: string): Promise<Record<string, unknown>>;
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string; readonly stdout: string }>;
}

function run(args: readonly string[], env: Record<string, string> = { TOKENMESH_KEY_ENCRYPTION_KEY: encryptionKey }): Run {
  const child = spawn(process.execPath, [main, ...args], { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  const output: string[] = [];
  const waiting: { name: string; resolve: (entry: Record<string, unknown>) => void }[] = [];
  const entries: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    output.push(line);
    if (!line.startsWith('{')) return;
    const entry = JSON.parse(line) as Record<string, unknown>;
    entries.push(entry);
    for (const { name, resolve } of waiting) if (entry.event === name) resolve(entry);
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  return {
    child,
    output,
    event: (name) => {
      const past = entries.find((entry) => entry.event === name);
      return past ? Promise.resolve(past) : new Promise((resolve) => waiting.push({ name, resolve }));
    },
    ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stderr, stdout: output.join('\n') })),
  };
}

const serve = (env?: Record<string, string>) => run(['--config', config()], env);

async function connect({ event }: Run) {
  const { port } = await event('listening');
  return new tokenmesh.TokenExchange(`localhost:${port}`, credentials.createSsl(cert));
}

const request = () => ({ ...authenticate(gateway, Date.now), grant_type: 'client_credentials', audience: orders });

describe('token-exchange as a process', () => {
  it('serves on the port it logs, and ends with 0 on SIGTERM', async () => {
    const service = serve();
    const client = await connect(service);
    const { access_token } = await unary(client, 'exchangeToken', request());
    client.close();
    service.child.kill('SIGTERM');
    const { code, stderr, stdout } = await service.ended;
    expect([code, stderr]).toEqual([0, '']);
    // of both purposes: the keys that are to sign next are announced before anybody can ask
    const announced = ['key.prepared', 'key.prepared', 'key.published', 'key.published'];
    const events = service.output.map((line) => JSON.parse(line).event);
    expect(events).toEqual([...announced, 'listening', 'token.issued', 'stopping', 'stopped']);
    for (const part of access_token.split('.')) expect(stdout).not.toContain(part);
  });

  it('follows its configuration: keeps the old one while the new one is bad, and takes the good one on SIGHUP and by itself', async () => {
    const service = serve();
    await service.event('listening');
    const good = readFileSync(config(), 'utf8');
    const replace = (text: string) => {
      writeFileSync(`${config()}.new`, text);
      renameSync(`${config()}.new`, config());
    };
    replace(good.replace(/\[orders\.read\] \}\n$/, '[orders.raed] }\n'));
    const { problems } = await service.event('config.rejected');
    expect(problems).toEqual([expect.stringMatching(/tokenmesh\.yaml:10:\d+: grants\[0\]\.scopes\[0\]: "orders\.raed" is not a scope/)]);
    const client = await connect(service);
    expect((await unary(client, 'exchangeToken', request())).scope).toBe('orders.read');
    replace(good.replace(/grants:\n.*\n$/, 'grants: []\n'));
    service.child.kill('SIGHUP');
    expect(await service.event('config.applied')).toMatchObject({
      grants: { removed: { count: 1, names: [`${gateway} ${orders}`] } },
      revoked: { count: 1, names: [`grant ${gateway} ${orders}`] },
    });
    await expect(unary(client, 'exchangeToken', request())).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    client.close();
    service.child.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('is refused the record while another process has it, and gets it after that one was killed', async () => {
    const first = serve();
    await first.event('listening');
    const { code, stderr } = await serve().ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/record\.db\.lock is held by another process/);
    first.child.kill('SIGKILL');
    await first.ended;
    await serve().event('listening');
  });

  it('refuses to start without a key-encryption key, and with another one than before', async () => {
    expect(await serve({}).ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no key-encryption key: set TOKENMESH_KEY_ENCRYPTION_KEY'),
    });
    const first = serve();
    await first.event('listening');
    first.child.kill('SIGTERM');
    await first.ended;
    const other = Buffer.alloc(32, 6).toString('base64');
    const { code, stderr } = await serve({ TOKENMESH_KEY_ENCRYPTION_KEY: other }).ended;
    expect(code).toBe(1);
    expect(stderr).toBe(
      'the key-encryption key from TOKENMESH_KEY_ENCRYPTION_KEY does not open the stored signing keys: it is another one, or the record was changed\n',
    );
  });

  it('starts and serves although NATS is not there', async () => {
    configure('nats: { servers: "nats://127.0.0.1:1" }\n');
    const service = serve();
    const client = await connect(service);
    const { access_token } = await unary(client, 'exchangeToken', request());
    const { acknowledgement } = await unary(client, 'revokeToken', { ...authenticate(gateway, Date.now), token: access_token });
    expect(acknowledgement).toMatchObject({ n: 1, broadcast: 'BROADCAST_PENDING' });
    client.close();
    expect(await service.event('courier.problem')).toMatchObject({ err: { message: expect.stringContaining('NATS is not reachable') } });
    service.child.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 0 });
  });

  it.skipIf(!process.env.TOKENMESH_NATS_SERVER)('hands over what it revoked as soon as the operator has created the stream', async () => {
    const nats = spawn(process.env.TOKENMESH_NATS_SERVER ?? '', ['-a', '127.0.0.1', '-p', '-1', '-js', '-sd', directory.path], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    started.push(nats);
    const port = await new Promise<string>((resolve) => {
      createInterface({ input: nats.stderr }).on('line', (line) => {
        const [, found] = /Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(line) ?? [];
        if (found) resolve(found);
      });
    });
    configure(`nats: { servers: "nats://127.0.0.1:${port}" }\n`);
    const service = serve();
    const client = await connect(service);
    const { access_token: token } = await unary(client, 'exchangeToken', request());
    const revoke = async () => {
      const { acknowledgement } = await unary(client, 'revokeToken', { ...authenticate(gateway, Date.now), token });
      return acknowledgement?.broadcast;
    };
    expect(await revoke()).toBe('BROADCAST_PENDING');
    expect(await run(['nats-stream', '--config', config()], {}).ended).toMatchObject({ code: 0, stdout: 'the stream is there' });
    while ((await revoke()) !== 'BROADCAST_SENT') await new Promise((resolve) => setImmediate(resolve));
    expect(service.output.join()).toContain('does not exist: create it first');
    client.close();
    service.child.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 0 });
  });

  it('stops in time although no collector takes its traces', async () => {
    const service = serve({ TOKENMESH_KEY_ENCRYPTION_KEY: encryptionKey, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
    const client = await connect(service);
    await unary(client, 'exchangeToken', request());
    client.close();
    const startedAt = performance.now();
    service.child.kill('SIGINT');
    expect(await service.ended).toMatchObject({ code: 0 });
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  it('checks a configuration without starting anything', async () => {
    expect(await run(['check', '--config', config()], {}).ended).toEqual({ code: 0, stderr: '', stdout: `${config()}: in order` });
    configure('stor: 1\n');
    const { code, stderr } = await run(['check', '--config', config()], {}).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/tokenmesh\.yaml:11:1: stor: unknown member, expected .*, did you mean "store"\?\n$/);
  });

  it.each([
    [['nats-stream', '--config'], 1, /nats: missing, expected the servers of a NATS/],
    [['nats-stream', '--replicas', '6', '--config'], 1, /--replicas: "6", expected a number from 1 to 5/],
    [['frobnicate', '--config'], 1, /unknown command/],
    [['--bogus', '--config'], 1, /Unknown option '--bogus'/],
  ])('answers %j with a text for people and no stack', async (args, code, text) => {
    const ended = await run([...args, config()], {}).ended;
    expect(ended.code).toBe(code);
    expect(ended.stderr).toMatch(text);
    expect(ended.stderr).not.toMatch(/^ {4}at /m);
  });

  it('tells how it is used', async () => {
    expect(await run(['--help'], {}).ended).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: token-exchange') });
  });

  it('writes the JWK set that registers a workload, and says what is wrong with a file that holds no key', async () => {
    const file = join(directory.path, 'workload.pem');
    writeFileSync(file, exportSigningKey(keyOf(gateway)));
    const { code, stdout } = await run(['jwks', file]).ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ keys: [exportJwk(keyOf(gateway))] });
    expect(await run(['jwks', config()]).ended).toMatchObject({
      code: 1,
      stderr: `${config()}: a signing key must be one PKCS#8 block in PEM\n`,
    });
    expect(await run(['jwks', '/there/is/none']).ended).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOENT') });
    expect(await run(['jwks']).ended).toMatchObject({ code: 1, stderr: expect.stringContaining('unknown command or arguments') });
  });
});
