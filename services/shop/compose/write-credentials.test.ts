import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CredentialsOptions, writeCredentials } from './write-credentials.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tokenmesh-credentials-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (...path: readonly string[]) => join(directory, 'credentials', ...path);
const natsConfiguration = join(import.meta.dirname, '../../../deploy/nats');
const write = (more: Partial<CredentialsOptions> = {}) =>
  writeCredentials({ directory: at(), data: join(directory, 'data'), natsConfiguration, ...more });

/** Contents by path. */
const files = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(at(), { recursive: true, encoding: 'utf8' })
      .filter((path) => statSync(at(path)).isFile())
      .map((path) => [path, readFileSync(at(path), 'utf8')]),
  );
const isOfCertificate = (path: string) => /(ca\.crt|tls\.crt|tls\.key)$/.test(path);

test('gives every container a certificate with its identity and the names it is called by', async () => {
  await write();
  const certificate = new X509Certificate(readFileSync(at('token-exchange/tls.crt')));
  expect(certificate.subjectAltName).toBe(
    'URI:spiffe://shop.test/token-exchange, DNS:localhost, DNS:token-exchange-1, DNS:token-exchange-2, IP Address:127.0.0.1',
  );
  expect(certificate.verify(new X509Certificate(readFileSync(at('payments/ca.crt'))).publicKey)).toBe(true);
});

test('lets nobody but the owner read what is secret', async () => {
  await write();
  for (const path of Object.keys(files())) {
    if (/\.(key|nkey|password|url)$|users\.conf|peers\.conf/.test(path)) expect(statSync(at(path)).mode & 0o777, path).toBe(0o600);
  }
  for (const name of readdirSync(at()).filter((entry) => statSync(at(entry)).isDirectory())) {
    expect(statSync(at(name)).mode & 0o777, name).toBe(0o700);
  }
});

test('a second time leaves everything as it is', async () => {
  await write();
  const first = files();
  await write();
  expect(files()).toEqual(first);
});

test('renews certificates when told to, for 90 days from then on, and no secret', async () => {
  const now = Date.UTC(2026, 10, 1);
  await write();
  const first = files();
  const { validTo } = await write({ renew: true, now: () => now });
  expect(validTo.getTime()).toBe(now + 90 * 86_400_000);
  const second = files();
  const changed = Object.keys(first).filter((path) => first[path] !== second[path]);
  expect(changed.sort()).toEqual(Object.keys(first).filter(isOfCertificate).sort());
});

test('makes certificates anew when it was ended before it had made the last one', async () => {
  await write();
  rmSync(at('ca.crt')); // written last
  const first = files();
  await write();
  expect(files()['orders/tls.key']).not.toBe(first['orders/tls.key']);
  expect(files()['orders/assertion.key']).toBe(first['orders/assertion.key']);
});

test('gives NATS the configuration that is in force now', async () => {
  await write();
  writeFileSync(at('nats-1/mesh.conf'), '# an older one');
  await write();
  expect(readFileSync(at('nats-1/mesh.conf'), 'utf8')).toBe(readFileSync(join(natsConfiguration, 'mesh.conf'), 'utf8'));
});

test('tells no server of NATS another list of users, and the three the same password', async () => {
  await write();
  for (const file of ['users.conf', 'peers.conf']) {
    expect(new Set(['nats-1', 'nats-2', 'nats-3'].map((name) => readFileSync(at(name, file), 'utf8'))).size).toBe(1);
  }
  expect(readFileSync(at('nats-1/peers.conf'), 'utf8')).toMatch(/^authorization \{ user: peer, password: "[0-9a-f]{48}", timeout: 5 \}$/m);
});
