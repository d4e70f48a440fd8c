import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateSigningKey } from '@tokenmesh/token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientCertificate, jwtSvid, kubernetesToken, privateKeyJwt } from './workload-credential.ts';

const self = 'spiffe://shop.test/orders';
const issuer = 'https://token-exchange.shop.test';
let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credential-'));
  file = join(folder, 'token');
});
afterEach(() => rm(folder, { recursive: true }));

describe.each([
  ['kubernetesToken', kubernetesToken],
  ['jwtSvid', jwtSvid],
])('%s', (_name, create) => {
  it('presents what the file holds at that moment', async () => {
    const credential = create(file);
    const presented = (client_assertion: string) => ({
      client_id: self,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion,
    });
    await writeFile(file, 'a.b.c\n');
    expect(await credential.authenticate(self, issuer)).toEqual(presented('a.b.c'));
    await writeFile(file, 'd.e.f');
    expect(await credential.authenticate(self, issuer)).toEqual(presented('d.e.f'));
  });

  it('rejects while the file is missing or empty', async () => {
    await expect(create(file).authenticate(self, issuer)).rejects.toThrow('ENOENT');
    await writeFile(file, '\n');
    await expect(create(file).authenticate(self, issuer)).rejects.toThrow('holds no token');
  });
});

describe('privateKeyJwt', () => {
  it('names its assertions so that they sort by the time they were made, and no two of them alike', async () => {
    let nowMs = 1_800_000_000_000;
    const credential = privateKeyJwt(generateSigningKey(), { now: () => nowMs });
    const jtis: unknown[] = [];
    for (; nowMs < 1_800_000_010_000; nowMs += 500) {
      const { client_assertion = '' } = await credential.authenticate(self, issuer);
      jtis.push(JSON.parse(Buffer.from(client_assertion.split('.')[1] ?? '', 'base64url').toString()).jti);
    }
    expect(jtis).toEqual([...jtis].sort());
    expect(new Set(jtis).size).toBe(20);
  });
});

describe('clientCertificate', () => {
  it('names the workload and leaves the proof to the connection', async () => {
    expect(await clientCertificate().authenticate(self, issuer)).toEqual({ client_id: self });
  });
});
