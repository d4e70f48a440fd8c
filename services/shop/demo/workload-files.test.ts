import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { privateKeyJwt } from '@tokenmesh/interceptor';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCertificateAuthority } from './certificates.ts';
import { type WorkloadFiles, writeWorkloadFiles } from './workload-files.ts';

let directory: string;
let files: WorkloadFiles;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tokenmesh-workload-'));
  files = await writeWorkloadFiles(join(directory, 'orders'), 'spiffe://shop.test/orders', await createCertificateAuthority('shop.test'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('lets nobody but the owner read private keys', () => {
  expect(statSync(join(directory, 'orders')).mode & 0o777).toBe(0o700);
  for (const file of [files.tlsKeyFile, files.keyFile]) expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('publishes the key that client assertions are signed with, under the kid that they name, and no private member', async () => {
  const { client_assertion = '' } = await privateKeyJwt(files.keyFile).authenticate(files.id, 'https://token-exchange.shop.test');
  const [header = '', payload, signature = ''] = client_assertion.split('.');
  const { keys } = JSON.parse(readFileSync(files.jwksFile, 'utf8'));
  expect(keys).toHaveLength(1);
  expect(keys[0].kid).toBe(JSON.parse(Buffer.from(header, 'base64url').toString()).kid);
  expect(keys[0]).not.toHaveProperty('d');
  const key = { key: createPublicKey({ key: keys[0], format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const;
  expect(verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))).toBe(true);
});

test('uses one key pair for TLS and another for assertions', () => {
  expect(readFileSync(files.tlsKeyFile, 'utf8')).not.toBe(readFileSync(files.keyFile, 'utf8'));
});
