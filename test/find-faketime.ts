import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The library with which a program sees another wall clock than its machine's, or why there is none. */
export type Faketime = { readonly library: string } | { readonly library: undefined; readonly reason: string };

const librariesDirectory = '/usr/lib';
const installLimitMs = 120_000;
const run = promisify(execFile);

/**
 * Finds libfaketime: the file that `TOKENMESH_FAKETIME` names, else where Debian puts it, else Debian's package, installed now unless
 * `TOKENMESH_NO_INSTALL` is 1. A named one that does not work is not replaced by another.
 */
export async function findFaketime(report: (what: string) => void, env: NodeJS.ProcessEnv = process.env): Promise<Faketime> {
  if (env.TOKENMESH_FAKETIME) return await tryOut(env.TOKENMESH_FAKETIME);
  const found = debianLibrary();
  if (found) return await tryOut(found);
  if (env.TOKENMESH_NO_INSTALL === '1') return missing('there is none on this machine, and TOKENMESH_NO_INSTALL=1 forbids installing one');
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    return missing('there is none on this machine, and installing one takes root on Debian');
  }
  report('installing Debian’s libfaketime (TOKENMESH_NO_INSTALL=1 forbids it)');
  try {
    const settings = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: installLimitMs };
    await run('apt-get', ['update', '-qq'], settings);
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'libfaketime'], settings);
  } catch (error) {
    return missing(`apt-get could not install it: ${firstLine(error)}`);
  }
  const installed = debianLibrary();
  return installed ? await tryOut(installed) : missing('apt-get installed it, yet it is not to be found');
}

/** Debian has a directory for each architecture, such as `/usr/lib/x86_64-linux-gnu`. */
function debianLibrary(): string | undefined {
  if (!existsSync(librariesDirectory)) return undefined;
  const directories = readdirSync(librariesDirectory).filter((name) => name.includes('-linux-'));
  return directories.map((name) => join(librariesDirectory, name, 'faketime', 'libfaketime.so.1')).find((file) => existsSync(file));
}

/** Under a library that does not fit the loader only warns, and the clock stays as it is: so the clock is looked at. */
async function tryOut(library: string): Promise<Faketime> {
  try {
    const env = { PATH: process.env.PATH, LD_PRELOAD: library, FAKETIME: '-10d', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
    const { stdout } = await run(process.execPath, ['-p', 'Date.now()'], { env });
    const behindMs = Date.now() - Number(stdout);
    return behindMs > 9 * 86_400_000 ? { library } : missing(`${library} does not change the clock of ${process.execPath}`);
  } catch (error) {
    return missing(`${library} does not work: ${firstLine(error)}`);
  }
}

const missing = (reason: string): Faketime => ({ library: undefined, reason });

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
