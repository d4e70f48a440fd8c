import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type ManagedProcess, type ProcessOptions, startProcess } from './managed-process.ts';

/** A nats-server that can be run, or why there is none. */
export type NatsServer = { readonly path: string; readonly version: string } | { readonly path: undefined; readonly reason: string };

export interface FindNatsServerOptions {
  /** Reads `TOKENMESH_NATS_SERVER` (the program, wherever it is), `PATH` and `TOKENMESH_NO_INSTALL` (`1` forbids installing). Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
  /** Searched after `PATH`. Default: where Debian puts servers, and where only root's PATH leads. */
  readonly directories?: readonly string[];
  /** Whether this user may install packages with apt-get. Default: root on Debian or one of its children. */
  readonly mayInstall?: boolean;
  /** Told before something takes long. */
  readonly report?: (what: string) => void;
}

const serverDirectories = ['/usr/local/sbin', '/usr/sbin'];
const installLimitMs = 120_000;
const versionLimitMs = 10_000;
const run = promisify(execFile);

/**
 * Finds a nats-server: the one that `TOKENMESH_NATS_SERVER` names, else the first on `PATH` or in `directories`, else Debian's package, installed now.
 *
 * A named one that does not run is not replaced by another. Nothing is thrown: the mesh works without NATS, so a missing server is an
 * answer with its reason.
 */
export async function findNatsServer(options: FindNatsServerOptions = {}): Promise<NatsServer> {
  const { env = process.env, directories = serverDirectories, mayInstall = isRootOnDebian(), report = () => {} } = options;
  const search = [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...directories];
  const named = env.TOKENMESH_NATS_SERVER;
  if (named) return describe(named, 'TOKENMESH_NATS_SERVER');
  const found = findProgram('nats-server', search);
  if (found) return describe(found, found);
  if (env.TOKENMESH_NO_INSTALL === '1') return missing('there is none on this machine, and TOKENMESH_NO_INSTALL=1 forbids installing one');
  const aptGet = mayInstall ? findProgram('apt-get', search) : undefined;
  if (!aptGet) return missing('there is none on this machine, and installing one takes root on Debian');
  report('installing Debian’s nats-server (TOKENMESH_NO_INSTALL=1 forbids it)');
  try {
    const settings = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: installLimitMs };
    await run(aptGet, ['update', '-qq'], settings);
    await run(aptGet, ['install', '-y', '-qq', '--no-install-recommends', 'nats-server'], settings);
  } catch (error) {
    return missing(`apt-get could not install it: ${firstLine(error)}`);
  }
  const installed = findProgram('nats-server', search);
  return installed ? describe(installed, installed) : missing('apt-get installed it, yet it is not to be found');
}

/**
 * Runs a nats-server with JetStream on 127.0.0.1, without authentication: what it carries is signed, and it is reachable from this machine
 * alone. Its data stays in `directory` over a restart.
 */
export function startNatsServer(options: {
  readonly path: string;
  readonly directory: string;
  readonly onUnexpectedExit?: NonNullable<ProcessOptions['onUnexpectedExit']>;
}): Promise<ManagedProcess> {
  const { path, directory, ...rest } = options;
  return startProcess({
    ...rest,
    name: 'nats-server',
    kind: 'program',
    logFile: join(directory, 'nats-server.log'),
    // Port -1 lets nats-server choose.
    command: (port) => ({ file: path, args: ['-a', '127.0.0.1', '-p', String(port || -1), '-js', '-sd', join(directory, 'jetstream')] }),
    read: (line) => {
      const port = /Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port) return { port: Number(port) };
      return line.includes('Server is ready') ? { ready: true } : undefined;
    },
  });
}

async function describe(path: string, name: string): Promise<NatsServer> {
  try {
    const { stdout, stderr } = await run(path, ['--version'], { timeout: versionLimitMs });
    const version = /v(\d+\.\d+\.\d+\S*)/.exec(stdout + stderr)?.[1];
    return version ? { path, version } : missing(`${name} does not answer --version as nats-server does`);
  } catch (error) {
    return missing(`${name} does not run: ${firstLine(error)}`);
  }
}

const missing = (reason: string): NatsServer => ({ path: undefined, reason });

const isRootOnDebian = (): boolean => process.getuid?.() === 0 && existsSync('/etc/debian_version');

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';

const findProgram = (name: string, directories: readonly string[]): string | undefined =>
  directories.map((directory) => join(directory, name)).find(isExecutable);

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
