import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { createProgram } from './program.ts';
import { runCli } from './run-cli.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const reference = fileURLToPath(new URL('../../../docs/reference/cli.md', import.meta.url));

// what the shell of whoever runs the tests says is not meant
beforeEach(() => {
  for (const name of Object.keys(process.env)) if (/^(?:NATS_URL|NO_COLOR|TOKENMESH_.*)$/.test(name)) vi.stubEnv(name, undefined);
  onTestFinished(() => void vi.unstubAllEnvs());
});

/** Runs a command in this process. */
const run = (...args: readonly string[]) => runOn({ isTTY: false }, ...args);

async function runOn({ isTTY }: { readonly isTTY: boolean }, ...args: readonly string[]) {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({
    isTTY,
    write: (what: string) => {
      written[name] += what;
    },
  });
  const code = await runCli(args, { out: stream('out'), err: stream('err'), signal: new AbortController().signal });
  return { code, ...written };
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-cli-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

describe('tokenmesh', () => {
  test('tells its version and its help, and ends with 0', async () => {
    expect(await run('--version')).toEqual({ code: 0, out: `${packageJson.version}\n`, err: '' });
    expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('doctor'), err: '' });
  });

  test('has a reference that is what --help says', () => {
    const documented = [...readFileSync(reference, 'utf8').matchAll(/^```text title="(.*) --help"\n([\s\S]*?)^```$/gm)].map(
      ([, command, help]) => [command, help],
    );
    const nowhere = { out: { write: () => {} }, err: { write: () => {} }, signal: new AbortController().signal, exit: () => {} };
    const program = createProgram(nowhere);
    const actual = program.commands.map((command) => {
      let help = '';
      command.configureOutput({
        writeOut: (what) => {
          help += what;
        },
      });
      command.outputHelp();
      return [`tokenmesh ${command.name()}`, help];
    });
    expect(documented).toEqual([['tokenmesh', program.helpInformation()], ...actual]);
  });

  test.each([
    [[], 'Usage: tokenmesh'],
    [['nothing'], 'unknown command'],
    [['doctor', '--nothing'], 'unknown option'],
    [['doctor'], 'name what to look at'],
    [['doctor', '--nats', '127.0.0.1:1'], '--mesh'],
    [['doctor', '--token-exchange', 'localhost:1', '--self', 'orders'], 'no SPIFFE ID'],
    [['doctor', '--nats', '127.0.0.1:1', '--mesh', 'shop.test', '--ca', '/nowhere'], '--ca: /nowhere cannot be read (ENOENT)'],
    [['doctor', '--nats', '127.0.0.1:1', '--mesh', 'shop.test', '--cert', main], 'belong together'],
    [['doctor', '--nats', '127.0.0.1:1', '--mesh', 'shop.test', '--verifier-nkey', '/nowhere'], '--verifier-nkey: /nowhere cannot be read'],
    [['doctor', '--nats', '127.0.0.1:1', '--mesh', 'shop.test', '-o', 'xml'], 'Allowed choices'],
    [['doctor', '--nats', '127.0.0.1:1', '--mesh', 'shop.test', '--issuer-nkey', main], "no seed of a user's nkey"],
    [['doctor', '--nats', '127.0.0.1:1', '--mesh', 'Shop Test'], '--mesh: Shop Test is no trust domain'],
    [
      ['doctor', '--token-exchange', 'localhost:1', '--self', 'spiffe://shop.test/a', '--assertion-key', '/nowhere'],
      '--assertion-key: /nowhere',
    ],
    [['nkey'], 'missing required argument'],
  ])('ends %j with 2 and says why on standard error', async (args, why) => {
    expect(await run(...args)).toEqual({ code: 2, out: '', err: expect.stringContaining(why) });
  });

  test('tells of files that are no certificates, and of a server that is none, as of anything else that is wrong', async () => {
    const servers = ['--nats', 'nats://', '--token-exchange', 'localhost:1'];
    const { code, out } = await run('doctor', ...servers, '--mesh', 'shop.test', '--ca', main, '--cert', main, '--key', main, '-o', 'json');
    expect(code).toBe(1);
    const { findings } = JSON.parse(out) as { readonly findings: readonly { readonly check: string; readonly status: string }[] };
    expect(findings.flatMap(({ check, status }) => (status === 'failed' ? [check] : []))).toEqual([
      'nats.reachable',
      'token-exchange.reachable',
    ]);
  });

  test('takes a flag before the environment', async () => {
    vi.stubEnv('NATS_URL', '127.0.0.1:1,127.0.0.1:2');
    vi.stubEnv('TOKENMESH_MESH', 'shop.test');
    const looked = async (...args: string[]) => {
      const { out } = await run('doctor', '-o', 'json', ...args);
      const { findings } = JSON.parse(out) as { readonly findings: readonly { readonly check: string; readonly of?: string }[] };
      return findings.flatMap(({ check, of }) => (check === 'nats.reachable' ? [of] : []));
    };
    expect(await looked()).toEqual(['127.0.0.1:1', '127.0.0.1:2']);
    expect(await looked('--nats', '127.0.0.1:3')).toEqual(['127.0.0.1:3']);
  });
});

describe('tokenmesh nkey', () => {
  test('writes a seed that only its owner can read, and prints the public key', async () => {
    const file = join(temporaryDirectory(), 'payments.nkey');
    const { code, out } = await run('nkey', file);
    expect(code).toBe(0);
    expect(out).toMatch(/^U[A-Z2-7]{55}\n$/);
    expect(readFileSync(file, 'utf8')).toMatch(/^SU[A-Z2-7]{56}\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('does not write over a file', async () => {
    const file = join(temporaryDirectory(), 'payments.nkey');
    writeFileSync(file, 'mine');
    expect(await run('nkey', file)).toEqual({ code: 2, out: '', err: `error: ${file} cannot be written (EEXIST)\n` });
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });
});

describe('tokenmesh doctor', () => {
  const settings = { PATH: process.env.PATH, TOKENMESH_MESH: 'shop.test' };

  test('writes results to standard output, the summary to standard error, and no colours into a pipe', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'doctor', '--nats', '127.0.0.1:1'], {
      encoding: 'utf8',
      env: settings,
    });
    expect(status).toBe(1);
    expect(stdout.split('\n')[0]).toMatch(/^failed {3}nats\.reachable +127\.0\.0\.1:1: .*ECONNREFUSED.*: see that the server runs/);
    expect(stderr).toBe('0 ok, 0 warnings, 1 failed, 6 skipped\n');
  });

  test('colours what it found on a terminal whose user has nothing against it', async () => {
    const look = async (isTTY: boolean) => (await runOn({ isTTY }, 'doctor', '--nats', '127.0.0.1:1', '--mesh', 'shop.test')).out;
    expect((await look(true)).startsWith('\u001b[31mfailed ')).toBe(true);
    expect((await look(false)).startsWith('failed ')).toBe(true);
    vi.stubEnv('NO_COLOR', '1');
    expect((await look(true)).startsWith('failed ')).toBe(true);
  });

  test('ends at SIGINT at once, with 130 and what it found until then', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo; // it listens on an address, not on a pipe
    const doctor = spawn(process.execPath, [main, 'doctor', '--nats', `127.0.0.1:1,127.0.0.1:${port}`], { env: settings });
    const [stdout, stderr] = [text(doctor.stdout), text(doctor.stderr)];
    await once(silent, 'connection');
    doctor.kill('SIGINT');
    expect(await once(doctor, 'exit')).toEqual([130, null]);
    expect((await stdout).trimEnd().split('\n')).toEqual([expect.stringMatching(/^failed +nats\.reachable +127\.0\.0\.1:1: /)]);
    expect(await stderr).toBe('0 ok, 0 warnings, 1 failed, 0 skipped\n');
  });
});
