import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** Programs of a PostgreSQL that can be run, or why there are none. */
export type Postgres = { readonly bin: string; readonly version: string } | { readonly bin: undefined; readonly reason: string };

const debianDirectory = '/usr/lib/postgresql';
const installLimitMs = 180_000;
const run = promisify(execFile);

/**
 * Finds the programs of a PostgreSQL: in the directory that `TOKENMESH_POSTGRES_BIN` names, else the newest where Debian puts them, else on `PATH`,
 * else Debian's package, installed now unless `TOKENMESH_NO_INSTALL` is 1. A named one that does not run is not replaced by another.
 */
export async function findPostgres(report: (what: string) => void, env: NodeJS.ProcessEnv = process.env): Promise<Postgres> {
  if (env.TOKENMESH_POSTGRES_BIN) return await describe(env.TOKENMESH_POSTGRES_BIN);
  const found =
    newestOfDebian() ?? (env.PATH ?? '').split(delimiter).find((directory) => directory && existsSync(join(directory, 'initdb')));
  if (found) return await describe(found);
  if (env.TOKENMESH_NO_INSTALL === '1') return missing('there is none on this machine, and TOKENMESH_NO_INSTALL=1 forbids installing one');
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    return missing('there is none on this machine, and installing one takes root on Debian');
  }
  report('installing Debian’s postgresql (TOKENMESH_NO_INSTALL=1 forbids it)');
  try {
    const settings = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: installLimitMs };
    await run('apt-get', ['update', '-qq'], settings);
    preventMainCluster();
    const quiet = ['-y', '-qq', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold'];
    await run('apt-get', ['install', ...quiet, 'postgresql'], settings);
  } catch (error) {
    return missing(`apt-get could not install it: ${firstLine(error)}`);
  }
  const installed = newestOfDebian();
  return installed ? await describe(installed) : missing('apt-get installed it, yet it is not to be found');
}

/** Debian would start a server of its own on the usual port; the tests bring theirs. */
function preventMainCluster(): void {
  const file = '/etc/postgresql-common/createcluster.conf';
  if (existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'create_main_cluster = false\n');
}

function newestOfDebian(): string | undefined {
  if (!existsSync(debianDirectory)) return undefined;
  const versions = readdirSync(debianDirectory).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(debianDirectory, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
}

async function describe(bin: string): Promise<Postgres> {
  try {
    const { stdout } = await run(join(bin, 'postgres'), ['--version']);
    await run(join(bin, 'initdb'), ['--version']);
    const version = /(\d+(\.\d+)*)/.exec(stdout)?.[1];
    return version ? { bin, version } : missing(`${bin}/postgres does not answer --version as PostgreSQL does`);
  } catch (error) {
    return missing(`PostgreSQL in ${bin} does not run: ${firstLine(error)}`);
  }
}

const missing = (reason: string): Postgres => ({ bin: undefined, reason });

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
