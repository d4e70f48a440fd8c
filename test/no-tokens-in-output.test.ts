import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { credentials } from '@grpc/grpc-js';
import { unary } from '@tokenmesh/interceptor';
import { otlpTrace } from '@tokenmesh/proto/otlp';
import { startOtlpReceiver } from '@tokenmesh/shop/demo';
import { generateSigningKey, signJws } from '@tokenmesh/token';
import { expect, it } from 'vitest';
import { takeLeaked } from './no-tokens-in-output.ts';

const token = signJws({ sub: 'spiffe://shop.test/gateway' }, { typ: 'at+jwt', key: generateSigningKey() });
const halves = [token.slice(0, 10), token.slice(10)];
const found = `${token.slice(0, 12)}…`;
/** Prints a token in two parts, the second once the first was read. */
const printing = (stream: 'stdout' | 'stderr') =>
  `process.${stream}.write('${halves[0]}'); process.stdin.once('data', () => { process.${stream}.write('${halves[1]}'); process.stdin.destroy(); });`;

it('finds a token that a test prints, also in two parts', () => {
  const planted = Buffer.from('{"looks":"like a token, and is none"}').toString('base64url');
  process.stdout.write(`${planted}\n`);
  process.stderr.write(planted.slice(0, 10));
  process.stderr.write(`${planted.slice(10)}\n`);
  console.info({ planted });
  expect(takeLeaked()).toEqual(Array(3).fill('eyJsb29rcyI6…'));
});

it.each<[string, unknown]>([
  ['the cause of an error', new Error('refused', { cause: new Error(token) })],
  ['a map, deep down', { a: { b: { c: new Map([['authorization', [token]]]) } } }],
])('finds a token that a test prints in %s', (_, value) => {
  console.error(value);
  expect(takeLeaked()).toContain(found);
});

it.each(['stdout', 'stderr'] as const)('finds a token that a process writes to its %s in two parts', async (stream) => {
  const child = spawn(process.execPath, ['-e', printing(stream)]);
  child[stream].once('data', () => child.stdin.write('on'));
  await once(child, 'close');
  expect(takeLeaked()).toContain(`${stream} of ${process.execPath}: ${found}`);
});

it('finds a token in what a program prints that is run to its end, and the caller gets all of it', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', `console.log('${token}')`]);
  expect(stdout).toBe(`${token}\n`);
  expect(takeLeaked()).toContain(`stdout of ${process.execPath}: ${found}`);
});

it.each([
  ['spawnSync', (script: string) => spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' }).stdout],
  ['execFileSync', (script: string) => execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })],
])('finds a token in what a program prints that %s waits for', (_, printed) => {
  expect(printed(`process.stdout.write('${token}')`)).toBe(token);
  expect(takeLeaked()).toContain(`output of ${process.execPath}: ${found}`);
});

it('finds a token in what a program prints that execFileSync waits for and that fails', () => {
  const script = `process.stdout.write('${token}'); process.exitCode = 1`;
  expect(() => execFileSync(process.execPath, ['-e', script], { stdio: 'pipe' })).toThrow();
  expect(takeLeaked()).toContain(`output of ${process.execPath}: ${found}`);
});

it('finds a token in an attribute of a span that is exported', async () => {
  const receiver = await startOtlpReceiver();
  const client = new otlpTrace.TraceService(new URL(receiver.endpoint).host, credentials.createInsecure());
  const span = { name: 'call', attributes: [{ key: 'authorization', value: { string_value: token } }] };
  await unary(client, 'Export', { resource_spans: [{ scope_spans: [{ spans: [span] }] }] });
  client.close();
  await receiver.close();
  expect(takeLeaked()).toContain(`/opentelemetry.proto.collector.trace.v1.TraceService/Export: ${found}`);
});

it('finds a token in a label of a metric that is scraped', async () => {
  const server = createServer((_, response) => response.end(`calls{token="${token}"} 1\n`)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // the cast holds: it listens on a port
  const { port } = server.address() as AddressInfo;
  expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toContain(token);
  server.close();
  expect(takeLeaked()).toContain(found);
});

it.each([
  ['rmSync', (directory: string) => rmSync(directory, { recursive: true })],
  ['rm', (directory: string) => rm(directory, { recursive: true })],
])('finds a token in a record in SQLite before %s removes its directory', async (_, remove) => {
  const directory = mkdtempSync(join(tmpdir(), 'planted-'));
  const record = new DatabaseSync(join(directory, 'record.db'));
  record.exec('CREATE TABLE audit (n INTEGER, detail TEXT)');
  record.prepare('INSERT INTO audit VALUES (1, ?)').run(JSON.stringify({ detail: token }));
  record.close();
  await remove(directory);
  expect(takeLeaked()).toContain(`record.db audit: ${found}`);
});

it('finds a token in what is sent to PostgreSQL', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'planted-'));
  const path = join(directory, '.s.PGSQL.5432');
  const server = net.createServer((socket) => socket.resume()).listen(path);
  await once(server, 'listening');
  const client = net.connect(path);
  client.write(`\0\0\0\x20${token}\0`);
  client.end();
  await once(client, 'close');
  server.close();
  rmSync(directory, { recursive: true });
  expect(takeLeaked()).toContain(`PostgreSQL: ${found}`);
});
