import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createNkey, type NatsOptions, type Nkey } from '@tokenmesh/revocation/nats';
import { createTestAuthority } from '@tokenmesh/token/test-certificate';

const natsServer = process.env.TOKENMESH_NATS_SERVER || 'nats-server';
const deployed = fileURLToPath(new URL('../../../deploy/nats', import.meta.url));
export const mesh = 'shop.test';

/** Its version; `undefined` when there is no nats-server to test with: `TOKENMESH_NATS_SERVER`, else `nats-server` on the PATH. */
export function natsServerVersion(): string | undefined {
  return /v(\d+\.\d+\.\d+\S*)/.exec(spawnSync(natsServer, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
}

/** Whether this server can be told to write to disk before it acknowledges. */
export function knowsSyncInterval(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 10);
}

/** A change to one of the files of deploy/nats, or another list of users (`users.conf`). */
export interface Edit {
  readonly file: string;
  readonly change: (text: string) => string;
}

/** A nats-server that runs with deploy/nats. */
export interface MeshNats {
  readonly url: string;
  readonly monitor: string;
  readonly operator: Nkey;
  readonly issuer: Nkey;
  readonly verifiers: readonly [Nkey, Nkey];
  /** How to connect as one of them; without a seed as nobody. */
  as(user?: Nkey): NatsOptions & { readonly tls: NonNullable<NatsOptions['tls']> };
  /** Has the server read changed files, and resolves when they are in force. */
  reload(edit: Edit): Promise<void>;
  close(): Promise<void>;
}

/** What a test says of a nats-server. */
export interface MeshNatsOptions {
  /** Each has to change something. Default: none. */
  readonly edits?: readonly Edit[];
  /** A line of its log to wait for as well: listeners for others come up later than the one for clients. Default: none. */
  readonly logged?: RegExp;
  /** PEM: an authority, and a certificate for 127.0.0.1 that it issued, with its key; for the server and its clients. Default: of the server's own. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** Starts a nats-server on free ports of 127.0.0.1 with the files of deploy/nats. */
export async function startMeshNats(options: MeshNatsOptions = {}): Promise<MeshNats> {
  const { edits = [], logged = /Server is ready/, tls = certificate() } = options;
  const directory = await mkdtemp(join(tmpdir(), 'tokenmesh-nats-'));
  const [operator, issuer, verifiers] = [createNkey(), createNkey(), [createNkey(), createNkey()] as const];
  await writeFiles(directory, tls, [operator, issuer, ...verifiers]);
  const file = (name: string) => join(directory, 'nats', name);
  const apply = async (edit: Edit) => {
    const text = await readFile(file(edit.file), 'utf8');
    const changed = edit.change(text);
    if (changed === text) throw new Error(`${edit.file} would stay as it is`);
    await writeFile(file(edit.file), changed);
  };
  for (const edit of edits) await apply(edit);

  const config = file(knowsSyncInterval(natsServerVersion() ?? '') ? 'nats-server.conf' : 'nats-server-2.9.conf');
  const server = spawn(natsServer, ['-c', config, '-a', '127.0.0.1', '-p', '-1', '-m', '-1'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      TOKENMESH_NATS_STORE: join(directory, 'store'),
      TOKENMESH_NATS_TLS_CERT: join(directory, 'server.crt'),
      TOKENMESH_NATS_TLS_KEY: join(directory, 'server.key'),
      TOKENMESH_NATS_TLS_CA: join(directory, 'ca.crt'),
    },
  });
  const lines = createInterface({ input: server.stderr });
  const listening = [/client connections on 127\.0\.0\.1:(\d+)/, /http monitor on 127\.0\.0\.1:(\d+)/, /Server is ready/, logged];
  const close = async () => {
    await end(server);
    await rm(directory, { recursive: true, force: true });
  };
  const [client, http] = await Promise.all(listening.map((pattern) => lineWith(lines, pattern))).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const [port, monitorPort] = [client?.[1], http?.[1]];
  return {
    url: `nats://127.0.0.1:${port}`,
    monitor: `http://127.0.0.1:${monitorPort}`,
    ...{ operator, issuer, verifiers },
    as: (user) => ({ servers: `127.0.0.1:${port}`, mesh, tls, ...(user && { nkeySeed: user.seed }) }),
    async reload(edit) {
      await apply(edit);
      const reloaded = lineWith(lines, /Reloaded server configuration/);
      server.kill('SIGHUP');
      await reloaded;
    },
    close,
  };
}

function certificate(): NonNullable<MeshNatsOptions['tls']> {
  const authority = createTestAuthority();
  const { cert, key } = authority.issue([]);
  return { ca: authority.cert.toString(), cert: cert.toString(), key: key.toString() };
}

async function writeFiles(
  directory: string,
  { ca, cert, key }: NonNullable<MeshNatsOptions['tls']>,
  [operator, issuer, ...verifiers]: readonly Nkey[],
): Promise<void> {
  const user = (nkey: Nkey | undefined, role: string) =>
    `  { nkey: ${nkey?.publicKey}, permissions: { include permissions/${role}.conf } }\n`;
  const users = user(operator, 'operator') + user(issuer, 'issuer') + verifiers.map((nkey) => user(nkey, 'verifier')).join('');
  await cp(deployed, join(directory, 'nats'), { recursive: true });
  await Promise.all([
    writeFile(join(directory, 'nats', 'users.conf'), `users: [\n${users}]\n`),
    writeFile(join(directory, 'server.crt'), cert),
    writeFile(join(directory, 'server.key'), key),
    writeFile(join(directory, 'ca.crt'), ca),
  ]);
}

/** Resolves with the first line from now on that matches. */
function lineWith(lines: Interface, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    const onLine = (line: string) => {
      said.push(line);
      const match = pattern.exec(line);
      if (match) settle(() => resolve(match));
    };
    const onClose = () => settle(() => reject(new Error(`nats-server ended: ${said.join('\n')}`)));
    const settle = (act: () => void) => {
      lines.off('line', onLine).off('close', onClose);
      act();
    };
    lines.on('line', onLine).on('close', onClose);
  });
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, 'exit');
  server.kill('SIGKILL');
  await exited;
}
