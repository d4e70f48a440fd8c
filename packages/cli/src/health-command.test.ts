import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { createTestAuthority } from '@tokenmesh/token/test-certificate';
import { HealthImplementation } from 'grpc-health-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runCli } from './run-cli.ts';

async function health(...args: readonly string[]) {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({
    write: (what: string) => {
      written[name] += what;
    },
  });
  const code = await runCli(['health', ...args], { out: stream('out'), err: stream('err'), signal: new AbortController().signal });
  return { code, ...written };
}

/** A server that asks for a certificate, and the flags with which it is reached. */
async function serve(status: 'SERVING' | 'NOT_SERVING') {
  const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-health-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const authority = createTestAuthority();
  const { cert, key } = authority.issue([]);
  const server = new Server();
  new HealthImplementation({ '': status }).addToServer(server);
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = ServerCredentials.createSsl(authority.cert, [{ cert_chain: cert, private_key: key }], true);
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  onTestFinished(() => server.forceShutdown());
  const file = (name: string, content: Buffer) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const ca = ['--ca', file('ca.crt', authority.cert)];
  return { address: `localhost:${port}`, ca, certificate: ['--cert', file('tls.crt', cert), '--key', file('tls.key', key)] };
}

describe('tokenmesh health', () => {
  test('ends with 0 when the server is SERVING', async () => {
    const { address, ca, certificate } = await serve('SERVING');
    expect(await health(address, ...ca, ...certificate)).toEqual({ code: 0, out: 'SERVING\n', err: '' });
  });

  test('ends with 1 when the server is there and does not serve', async () => {
    const { address, ca, certificate } = await serve('NOT_SERVING');
    expect(await health(address, ...ca, ...certificate)).toEqual({ code: 1, out: 'NOT_SERVING\n', err: '' });
  });

  test('ends with 1 when the server does not let it in, or is not there', async () => {
    const { address, ca } = await serve('SERVING');
    expect(await health(address, ...ca)).toMatchObject({ code: 1, out: '' });
    expect(await health('localhost:1')).toMatchObject({ code: 1, out: '', err: expect.stringContaining('ECONNREFUSED') });
  });

  test('ends with 2 when a file cannot be read, and names it', async () => {
    expect(await health('localhost:1', '--ca', '/nowhere/ca.crt')).toEqual({
      code: 2,
      out: '',
      err: 'error: --ca: /nowhere/ca.crt cannot be read (ENOENT)\n',
    });
  });
});
