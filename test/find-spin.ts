import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

/** The model checker, beside the C compiler that it needs, or why there is none. */
export type Spin = { readonly path: string; readonly version: string } | { readonly path: undefined; readonly reason: string };

const installLimitMs = 180_000;
const run = promisify(execFile);

/**
 * Finds spin and gcc: the one that `TOKENMESH_SPIN` names, else `spin` on `PATH`, else Debian's packages, installed now unless
 * `TOKENMESH_NO_INSTALL` is 1. A named one that does not run is not replaced by another.
 */
export async function findSpin(report: (what: string) => void, env: NodeJS.ProcessEnv = process.env): Promise<Spin> {
  const found = await describe(env.TOKENMESH_SPIN || 'spin');
  if (found.path !== undefined || env.TOKENMESH_SPIN) return found;
  if (env.TOKENMESH_NO_INSTALL === '1') return missing(`${found.reason}, and TOKENMESH_NO_INSTALL=1 forbids installing it`);
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    return missing(`${found.reason}, and installing it takes root on Debian`);
  }
  report('installing Debian’s spin and gcc (TOKENMESH_NO_INSTALL=1 forbids it)');
  try {
    const settings = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: installLimitMs };
    await run('apt-get', ['update', '-qq'], settings);
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'spin', 'gcc', 'libc6-dev'], settings);
  } catch (error) {
    return missing(`apt-get could not install it: ${firstLine(error)}`);
  }
  return await describe('spin');
}

async function describe(path: string): Promise<Spin> {
  try {
    await run('gcc', ['--version']);
    const { stdout } = await run(path, ['-V']);
    const version = /Spin Version ([\d.]+)/.exec(stdout)?.[1];
    return version ? { path, version } : missing(`${path} does not answer -V as spin does`);
  } catch (error) {
    return missing(`spin (${path}) or gcc does not run: ${firstLine(error)}`);
  }
}

const missing = (reason: string): Spin => ({ path: undefined, reason });

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
