import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** Prometheus, which has promtool beside it, or why there is none. */
export type Prometheus =
  | { readonly path: string; readonly promtool: string; readonly version: string }
  | { readonly path: undefined; readonly reason: string };

const installLimitMs = 180_000;
const debianPath = '/usr/bin/prometheus';
const run = promisify(execFile);

/**
 * Finds Prometheus and, in the same directory, promtool: the one that `TOKENMESH_PROMETHEUS` names, else where Debian puts it, else Debian's package,
 * installed now unless `TOKENMESH_NO_INSTALL` is 1. A named one that does not run is not replaced by another.
 */
export async function findPrometheus(report: (what: string) => void, env: NodeJS.ProcessEnv = process.env): Promise<Prometheus> {
  const found = await describe(env.TOKENMESH_PROMETHEUS || debianPath);
  if (found.path !== undefined || env.TOKENMESH_PROMETHEUS) return found;
  if (env.TOKENMESH_NO_INSTALL === '1') return missing(`${found.reason}, and TOKENMESH_NO_INSTALL=1 forbids installing it`);
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    return missing(`${found.reason}, and installing it takes root on Debian`);
  }
  report('installing Debian’s prometheus (TOKENMESH_NO_INSTALL=1 forbids it)');
  try {
    // Debian would start a server of its own on the usual port; the tests bring theirs
    const settings = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }, timeout: installLimitMs };
    await run('apt-get', ['update', '-qq'], settings);
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'prometheus'], settings);
  } catch (error) {
    return missing(`apt-get could not install it: ${firstLine(error)}`);
  }
  return await describe(debianPath);
}

async function describe(path: string): Promise<Prometheus> {
  const promtool = join(dirname(path), 'promtool');
  try {
    await run(promtool, ['--version']);
    const { stdout, stderr } = await run(path, ['--version']);
    const version = /version (\d+\.\d+\.\d+)/.exec(stdout + stderr)?.[1];
    return version ? { path, promtool, version } : missing(`${path} does not answer --version as Prometheus does`);
  } catch (error) {
    return missing(`${basename(path)} (${path}) or promtool beside it does not run: ${firstLine(error)}`);
  }
}

const missing = (reason: string): Prometheus => ({ path: undefined, reason });

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
